// SPDX-License-Identifier: MIT
// Averages of the weights: their rules, their use in place of the weights, their state. And gradients that are added up
// over several small batches.
#include <cmath>
#include <stdexcept>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/optim/average.hpp>

#include "tests/optim/problem.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using tests::error_of;
using tests::kCount;
using tests::Problem;

namespace {

// New values for both parameters.
void move_weights(Problem& problem) {
  problem.first.assign_(problem.random.floating(problem.first.shape(), problem.first.value().dtype()));
  problem.second.assign_(problem.random.floating(problem.second.shape(), problem.second.value().dtype()));
}

}  // namespace

TEST_CASE("averages equal their formulas") {
  const uint64_t seed = tests::seed(94);
  INFO("seed " << seed);
  Problem problem(seed);
  ExponentialAverage exponential(problem.parameters(), {.decay = 0.7});
  ExponentialAverage warm(problem.parameters(), {.decay = 0.3, .warmup = true});
  StochasticAverage stochastic(problem.parameters());
  double e = 0.0, w = 0.0, sum = 0.0;
  for (int n = 1; n <= 12; ++n) {
    move_weights(problem);
    const double p = problem.first.value().at({2});
    const double keep = std::min(0.3, n / (n + 9.0));
    e = n == 1 ? p : 0.7 * e + 0.3 * p;
    w = n == 1 ? p : keep * w + (1 - keep) * p;
    sum += p;
    for (WeightAverage* average : {static_cast<WeightAverage*>(&exponential), static_cast<WeightAverage*>(&warm),
                                   static_cast<WeightAverage*>(&stochastic)}) {
      average->update();
      CHECK(average->updates() == n);
    }
    CHECK(std::abs(exponential.weights()[0].value.at({2}) - e) < 1e-15);
    CHECK(std::abs(warm.weights()[0].value.at({2}) - w) < 1e-15);
    CHECK(std::abs(stochastic.weights()[0].value.at({2}) - sum / n) < 1e-15);
  }
  CHECK(exponential.weights()[1].name == "net.second");
}

TEST_CASE("averaged weights are used for a scope, and the weights come back bit by bit, even after an exception") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Problem problem(95, dtype);
    StochasticAverage average(problem.parameters());
    average.update();
    move_weights(problem);
    average.update();
    const std::vector<Tensor> own = tests::values_of(problem);
    const std::vector<NamedTensor> mean = average.weights();
    {
      const AveragedWeights in_use(average);
      CHECK(bitwise_equal(problem.first.value(), mean[0].value));
      CHECK(bitwise_equal(problem.second.value(), mean[1].value));
      CHECK(error_of([&] { return average.update(); }) ==
            "[StochasticAverage] update while an AveragedWeights lives: the averages are in the parameters");
      CHECK(error_of([&] { return average.state_dict(); }) ==
            "[StochasticAverage] state_dict while an AveragedWeights lives: the averages are in the parameters");
      CHECK(error_of([&] { return AveragedWeights(average); }) ==
            "[StochasticAverage] AveragedWeights while an AveragedWeights lives: the averages are in the parameters");
      CHECK(bitwise_equal(problem.first.value(), mean[0].value));
    }
    CHECK(tests::same_bits(own, tests::values_of(problem)));
    try {
      const AveragedWeights in_use(average);
      throw std::runtime_error("validation failed");
    } catch (const std::runtime_error&) {
    }
    CHECK(tests::same_bits(own, tests::values_of(problem)));
    CHECK(bitwise_equal(average.weights()[0].value, mean[0].value));

    // A parameter that changed its shape is refused before anything is exchanged.
    problem.second.reset_(zeros({4}, {.dtype = dtype}));
    CHECK(error_of([&] { return AveragedWeights(average); }) ==
          "[StochasticAverage] parameter net.second was " + std::string(dtype_name(dtype)) +
              " [2, 3] at the first update and is now " + dtype_name(dtype) + " [4]");
    CHECK(bitwise_equal(problem.first.value(), own[0]));
    CHECK(error_of([&] { return average.update(); }) != "");
    CHECK(average.updates() == 2);
  }
}

TEST_CASE("a graph from before the averages were put in place is refused, not wrong") {
  Problem problem(96);
  ExponentialAverage average(problem.parameters());
  average.update();
  const Variable loss = sum(problem.first * problem.first);
  { const AveragedWeights in_use(average); }
  CHECK_THROWS_WITH(backward(loss), tests::contains_text("changed in place"));
}

TEST_CASE("an average that is saved and loaded goes on bit by bit; one that does not fit is refused") {
  Problem problem(97);
  ExponentialAverage whole(problem.parameters(), {.decay = 0.8, .warmup = true});
  ExponentialAverage cut(problem.parameters(), {.decay = 0.8, .warmup = true});
  CHECK(error_of([&] { return cut.weights(); }) == "[ExponentialAverage] there is no average yet: call update() first");
  CHECK(error_of([&] { return AveragedWeights(cut); }) ==
        "[ExponentialAverage] there is no average yet: call update() first");
  cut.load_state_dict(whole.state_dict());
  CHECK(cut.updates() == 0);
  for (int n = 0; n < 8; ++n) {
    move_weights(problem);
    if (n == 5) cut.load_state_dict(whole.state_dict());
    whole.update();
    if (n >= 5) cut.update();
  }
  CHECK(cut.updates() == 8);
  CHECK(bitwise_equal(cut.weights()[0].value, whole.weights()[0].value));
  CHECK(bitwise_equal(cut.weights()[1].value, whole.weights()[1].value));
  std::vector<NamedTensor> state = whole.state_dict();
  state.back().name = "net.third.average";
  CHECK(error_of([&] { return cut.load_state_dict(state); }) ==
        "[ExponentialAverage] the saved state does not fit: missing: net.second.average; unexpected: "
        "net.third.average");
  CHECK(cut.updates() == 8);

  const auto list = problem.parameters();
  CHECK(error_of([&] { return ExponentialAverage(list, {.decay = 1.0}); }) ==
        "[ExponentialAverage] expected 0 <= decay < 1, got 1");
  CHECK(error_of([&] { return StochasticAverage({}); }) ==
        "[StochasticAverage] expected at least one parameter, got none");
  CHECK(error_of([&] {
          return StochasticAverage({list[0], list[0]});
        }) == "[StochasticAverage] parameter net.first is given twice");
  CHECK(error_of([&] {
          return StochasticAverage({{"ghost", nullptr}});
        }) == "[StochasticAverage] parameter ghost is undefined");
}

TEST_CASE("the gradients of small batches add up to that of the large batch, and one step follows") {
  const uint64_t seed = tests::seed(98);
  INFO("seed " << seed);
  detail::RandomTensors random(seed);
  const Tensor x = random.floating({12, 5}), target = random.floating({12, 3});
  Generator generator(seed);
  Linear whole({.input_size = 5, .output_size = 3}, generator);
  whole.to_(DType::f64);
  const auto parts = whole.clone();
  const auto loss = [](Linear& model, const Tensor& inputs, const Tensor& targets) {
    const Variable difference = model(inputs) - targets;
    return mean(difference * difference);
  };
  AdamW large(whole.parameters()), small(parts->parameters());
  backward(loss(whole, x, target));
  constexpr int64_t kBatches = 4;
  for (int64_t i = 0; i < kBatches; ++i) {
    const Tensor rows = x.slice(0, 3 * i, 3 * i + 3), targets = target.slice(0, 3 * i, 3 * i + 3);
    backward(loss(*parts, rows, targets) / static_cast<double>(kBatches));
  }
  for (size_t i = 0; i < 2; ++i) {
    const Tensor& expected = whole.parameters()[i].parameter->grad();
    CHECK(largest_error(parts->parameters()[i].parameter->grad(), expected) < 1e-15);
  }
  const Tensor kept = parts->parameters()[0].parameter->grad();
  const Tensor bits = kept.clone();
  large.step();
  small.step();
  for (size_t i = 0; i < 2; ++i) {
    CHECK(largest_error(parts->parameters()[i].parameter->value(), whole.parameters()[i].parameter->value()) < 1e-12);
  }
  // No step and no later backward edits a gradient that somebody keeps.
  backward(loss(*parts, x, target));
  CHECK(bitwise_equal(kept, bits));
  CHECK(!bitwise_equal(parts->parameters()[0].parameter->grad(), bits));
}

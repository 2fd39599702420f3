// SPDX-License-Identifier: MIT
// L-BFGS on problems with known solutions, its ends, and what it does when the closure fails.
#include <cmath>
#include <stdexcept>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/optim/lbfgs.hpp>
#include <gradus/optim/line_search.hpp>

#include "tests/optim/problem.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using tests::error_of;

namespace {

Tensor column(std::initializer_list<double> values, DType dtype = DType::f64) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::f64}).to(dtype);
}

// The sum of 100 (x_(i+1) - x_i^2)^2 + (1 - x_i)^2, which is least at ones.
Variable rosenbrock(const Variable& x) {
  const Variable now = slice(x, 0, 0, -1), next = slice(x, 0, 1);
  const Variable bend = next - now * now, distance = 1.0 - now;
  return sum(100.0 * bend * bend + distance * distance);
}

template <class Loss>
LbfgsResult run_lbfgs(Lbfgs& lbfgs, const Loss& loss) {
  return lbfgs.minimize([&] {
    const Variable value = loss();
    backward(value);
    return value.value().to(DType::f64).item<double>();
  });
}

}  // namespace

TEST_CASE("L-BFGS finds the minimum of Rosenbrock's function to 1e-10") {
  for (const std::initializer_list<double>& start : {std::initializer_list<double>{-1.2, 1.0}, {-1.2, 1, -1.2, 1, 2}}) {
    Parameter x(column(start));
    Lbfgs lbfgs({{"x", &x}}, {.max_iterations = 200, .gradient_tolerance = 1e-11});
    const LbfgsResult result = run_lbfgs(lbfgs, [&] { return rosenbrock(x); });
    INFO(start.size() << " numbers, " << result.iterations << " iterations, " << result.evaluations << " evaluations");
    CHECK(result.end == LbfgsEnd::gradient_is_small);
    CHECK(largest_error(x.value(), ones_like(x.value())) < 1e-10);
    CHECK(result.loss < 1e-20);
    CHECK(result.gradient <= 1e-11);
    CHECK(result.evaluations < 120);  // measured: 48 and 57
  }
}

TEST_CASE("L-BFGS solves a logistic regression to 1e-10") {
  const uint64_t seed = tests::seed(99);
  INFO("seed " << seed);
  detail::RandomTensors random(seed);
  const Tensor inputs = random.floating({60, 4});
  Tensor labels = zeros({60}, {.dtype = DType::f64});
  for (int64_t i = 0; i < 60; ++i) {
    const double score = inputs.at({i, 0}) - 0.5 * inputs.at({i, 2}) + random.fraction() - 0.5;
    labels.mutable_data_<double>()[i] = score > 0 ? 1.0 : 0.0;
  }
  constexpr double kDecay = 0.01;
  Parameter weight(zeros({4}, {.dtype = DType::f64})), bias(zeros({}, {.dtype = DType::f64}));
  Lbfgs lbfgs({{"weight", &weight}, {"bias", &bias}}, {.gradient_tolerance = 1e-11});
  const LbfgsResult result = run_lbfgs(lbfgs, [&] {
    const Variable logits = sum(inputs * weight, 1) + bias;
    return mean(softplus(logits) - logits * labels) + kDecay * sum(weight * weight);
  });
  INFO(to_string(result.end) << ", " << result.iterations << " iterations, " << result.evaluations << " evaluations");
  CHECK(result.end == LbfgsEnd::gradient_is_small);
  CHECK(result.evaluations < 40);  // measured over four seeds: at most 20
  // The gradient, written out in plain numbers.
  for (int64_t k = 0; k < 5; ++k) {
    double gradient = k < 4 ? 2 * kDecay * weight.value().at({k}) : 0.0;
    for (int64_t i = 0; i < 60; ++i) {
      double score = bias.value().at({});
      for (int64_t j = 0; j < 4; ++j) score += inputs.at({i, j}) * weight.value().at({j});
      gradient += (1 / (1 + std::exp(-score)) - labels.at({i})) * (k < 4 ? inputs.at({i, k}) : 1.0) / 60;
    }
    CHECK(std::abs(gradient) < 1e-10);
  }
}

TEST_CASE("L-BFGS in f32 gets to the rounding of f32, and goes on in a second call") {
  Parameter x(column({-1.2, 1.0}, DType::f32));
  Lbfgs lbfgs({{"x", &x}}, {.max_iterations = 20, .gradient_tolerance = 1e-4});
  const LbfgsResult first = run_lbfgs(lbfgs, [&] { return rosenbrock(x); });
  CHECK(first.end == LbfgsEnd::out_of_iterations);
  CHECK(first.iterations == 20);
  const LbfgsResult second = run_lbfgs(lbfgs, [&] { return rosenbrock(x); });
  CHECK(second.loss < 1e-9);
  CHECK(std::abs(x.value().at({0}) - 1.0) < 1e-4);
}

TEST_CASE("L-BFGS survives losses that are infinite or NaN on the way, and steps that are far too long") {
  for (const double rate : {1.0, 1e6}) {
    Parameter x(column({1e-3}));
    Lbfgs lbfgs({{"x", &x}}, {.learning_rate = rate, .gradient_tolerance = 1e-10});
    const LbfgsResult result = run_lbfgs(lbfgs, [&] { return sum(x - log(x)); });  // NaN below 0
    INFO(rate << ": " << to_string(result.end));
    CHECK(result.end == LbfgsEnd::gradient_is_small);
    CHECK(std::abs(x.value().at({0}) - 1.0) < 1e-10);
  }
}

TEST_CASE("L-BFGS ends where the loss cannot fall, and where nothing changes") {
  Parameter x(column({1.0}));
  Lbfgs upward({{"x", &x}}, {.max_trials = 5});
  // A gradient of the wrong sign.
  const LbfgsResult wrong = run_lbfgs(upward, [&] { return 0.0 - sum(x) + 2.0 * sum(Variable(x.value().clone())); });
  CHECK(to_string(wrong.end) == "the line search failed");
  CHECK(x.value().at({0}) == 1.0);
  x.assign_(column({1.7}));
  Lbfgs still({{"x", &x}}, {.gradient_tolerance = 0.0, .change_tolerance = 1e-3});
  const LbfgsResult done = run_lbfgs(still, [&] { return sum(x * x * x * x); });
  CHECK(to_string(done.end) == "the change is small");
  CHECK(std::abs(x.value().at({0})) < 0.1);
  CHECK(to_string(LbfgsEnd::gradient_is_small) == "the gradient is small");
  CHECK(to_string(LbfgsEnd::out_of_iterations) == "out of iterations");
}

TEST_CASE("when the closure of L-BFGS throws, the parameters are at the best point so far") {
  Parameter x(column({-1.2, 1.0}));
  Lbfgs lbfgs({{"x", &x}});
  int calls = 0;
  double best = HUGE_VAL;
  const auto loss = [&] {
    if (++calls == 12) throw std::runtime_error("interrupted");
    const Variable value = rosenbrock(x);
    best = std::min(best, value.value().item<double>());
    return value;
  };
  CHECK_THROWS_AS(run_lbfgs(lbfgs, loss), std::runtime_error);
  CHECK(rosenbrock(x).value().item<double>() < 24.0);
  CHECK(rosenbrock(x).value().item<double>() <= 1.0000001 * best);
}

TEST_CASE("the line search fulfils the strong Wolfe conditions") {
  // Hard cases: a narrow valley far away, a tiny first step, a first step that is far too long.
  const auto valley = [](double t) {
    return detail::LinePoint{.at = t, .loss = -t / (t * t + 2), .slope = (t * t - 2) / std::pow(t * t + 2, 2)};
  };
  const auto quartic = [](double t) {
    return detail::LinePoint{.at = t, .loss = std::pow(t - 3, 4), .slope = 4 * std::pow(t - 3, 3)};
  };
  int calls = 0;
  for (const auto& function : {std::function<detail::LinePoint(double)>(valley), {quartic}}) {
    for (const double first : {1e-3, 0.1, 1.0, 10.0, 1e3}) {
      const detail::LinePoint start = function(0.0);
      calls = 0;
      const detail::LinePoint found = detail::line_search(
          [&](double t) {
            ++calls;
            return function(t);
          },
          start, {.first = first, .max_trials = 25});
      INFO("first " << first << ", found " << found.at << " in " << calls);
      CHECK(found.at > 0.0);
      CHECK(found.loss <= start.loss + 1e-4 * found.at * start.slope);
      CHECK(std::abs(found.slope) <= -0.9 * start.slope);
      CHECK(calls <= 12);
    }
  }
}

TEST_CASE("L-BFGS refuses wrong options, parameters and a start that is not finite") {
  Parameter x(column({1.0}));
  const std::vector<NamedParameter> list = {{"x", &x}};
  CHECK(error_of([&] { return Lbfgs(list, {.learning_rate = 0.0}); }) == "[Lbfgs] expected learning_rate > 0, got 0");
  CHECK(error_of([&] { return Lbfgs(list, {.history = 0}); }) ==
        "[Lbfgs] expected max_iterations, max_trials and history of at least 1, got 100, 25 and 0");
  CHECK(error_of([&] { return Lbfgs(list, {.gradient_tolerance = -1.0}); }) ==
        "[Lbfgs] expected a gradient_tolerance of 0 or more, got -1");
  CHECK(error_of([&] { return Lbfgs({}); }) == "[Lbfgs] expected at least one parameter, got none");
  CHECK(error_of([&] { return Lbfgs({list[0], list[0]}); }) == "[Lbfgs] parameter x is given twice");
  CHECK(error_of([&] { return Lbfgs({{"ghost", nullptr}}); }) == "[Lbfgs] parameter ghost is undefined");
  Lbfgs lbfgs(list);
  CHECK(error_of([&] { return run_lbfgs(lbfgs, [&] { return sum(log(x - 1.0)); }); }) ==
        "[Lbfgs] expected a finite loss and finite gradients at the start, got a loss of -inf and gradients up to inf");
  CHECK(error_of([&] { return lbfgs.minimize([] { return 1.0; }); }) ==
        "[Lbfgs] no parameter has a gradient: the closure must call backward(loss)");
  x.reset_(column({1.0, 2.0}));
  CHECK(error_of([&] { return run_lbfgs(lbfgs, [&] { return sum(x); }); }) ==
        "[Lbfgs] the parameters had 1 elements, and now have 2");
}

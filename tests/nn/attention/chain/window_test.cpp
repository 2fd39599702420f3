// SPDX-License-Identifier: MIT
// Local attention: published numbers, windows against masks, predicted positions, lengths, messages.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/chain/chain.hpp>
#include <gradus/nn/check/gradcheck.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/nn/attention/chain/chain_cases.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;
using tests::error_text;

namespace {

constexpr int64_t kBatch = 3, kQueries = 4, kKeys = 6, kSize = 3;
const AttendOptions kAsk{.weights = ReturnWeights::before_dropout};

Attention make(const WindowOptions& window, uint64_t seed = 5, const Normaliser& normaliser = Normaliser::softmax()) {
  Generator generator(seed);
  return Attention(
      {.query_size = kSize, .key_size = kSize, .window = window, .normaliser = normaliser, .dtype = DType::f64},
      generator);
}

Tensor lengths() { return tests::i64({6, 3, 0}, {kBatch}); }

// bool [kBatch, kQueries, kKeys]: the keys within the width of each query's position.
Tensor near_positions(const Tensor& positions, double width) {
  Tensor keep = zeros({kBatch, kQueries, kKeys}, {.dtype = DType::boolean});
  bool* at = keep.mutable_data_<bool>();
  for (int64_t b = 0; b < kBatch; ++b) {
    for (int64_t i = 0; i < kQueries; ++i) {
      for (int64_t j = 0; j < kKeys; ++j) {
        const double position = positions.at({positions.size(0) == 1 ? 0 : b, i});
        *at++ = std::fabs(static_cast<double>(j) - position) <= width;
      }
    }
  }
  return keep;
}

}  // namespace

TEST_CASE("local-p gives the published weights: a window, softmax inside it, a Gaussian that is not normalised again") {
  constexpr int64_t kSteps = 7;
  Generator generator(1);
  Attention attention({.query_size = kSteps,
                       .key_size = kSteps,
                       .score = Score::dot(),
                       .window = {.width = 2, .predicted = true, .hidden_size = 1},
                       .dtype = DType::f64},
                      generator);
  // The keys are the unit vectors, so the query is the scores. Its first element, 0.2, gives sigmoid(0.3).
  Tensor first = zeros({1, kSteps}, {.dtype = DType::f64});
  first.slice(1, 0, 1).fill_(5.0);
  attention.load_state_dict(
      {{"position.hidden.weight", first}, {"position.v", full({1}, 0.3 / std::tanh(1.0), {.dtype = DType::f64})}});
  Tensor unit = zeros({1, kSteps, kSteps}, {.dtype = DType::f64});
  for (int64_t j = 0; j < kSteps; ++j) unit.select(1, j).select(1, j).fill_(1.0);
  const Tensor scores = tests::f64({.2, -.1, .4, 0, .3, .1, -.2}, {1, 1, kSteps});
  const Tensor weights = attention(scores, attention.prepare(unit), kAsk).weights.value();
  const Tensor expected = tests::f64({0, 0, 0, .138925941, .315777740, .160154060, .027037745}, {1, 1, kSteps});
  CHECK(largest_error(weights, expected) < 1e-9);
  CHECK(sum(Variable(weights)).value().at({}) == Approx(.641895486).epsilon(1e-8));
}

TEST_CASE("local-m is a mask around the positions, which are the query's numbers unless they are given") {
  const uint64_t seed = tests::seed(121);
  INFO("seed " << seed);
  RandomTensors random(seed);
  const Variable query = random.floating({kBatch, kQueries, kSize}), memory = random.floating({kBatch, kKeys, kSize});
  const Tensor counted = tests::i64({0, 1, 2, 3}, {1, kQueries});
  const Tensor given = tests::f64({0.5, 4, 7.2, -1.5, /**/ 1, 1.25, 2, 30, /**/ 0, 1, 2, 3}, {kBatch, kQueries});
  for (const int64_t width : {1, 2, 9}) {
    for (const Mask& mask : {Mask::none(), Mask::from_lengths(lengths()), Mask::causal()}) {
      for (const Tensor& positions : {Tensor(), counted, given, given.to(DType::f32)}) {
        Attention local = make({.width = width}, seed), plain = make({}, seed);
        const Tensor keep = near_positions(positions.defined() ? positions : counted, static_cast<double>(width));
        AttendOptions call{.positions = positions};
        const AttentionOutput expected = plain(query, plain.prepare(memory, mask & Mask::keep(keep)), kAsk);
        const Tensor tiled = local(query, local.prepare(memory, mask), call).context.value();
        CHECK(largest_error(tiled, expected.context.value()) < 1e-14);
        call.weights = ReturnWeights::before_dropout;
        const AttentionOutput asked = local(query, local.prepare(memory, mask), call);
        CHECK(bitwise_equal(asked.context.value(), tiled));
        CHECK(largest_error(asked.weights.value(), expected.weights.value()) < 1e-14);
        CHECK(all_zero(where(keep, zeros({}, {.dtype = DType::f64}), asked.weights).value()));
      }
    }
  }
}

TEST_CASE("local attention step by step, with the positions, gives what one call gives") {
  const uint64_t seed = tests::seed(122);
  INFO("seed " << seed);
  RandomTensors random(seed);
  const Variable query = random.floating({kBatch, kQueries, kSize}), memory = random.floating({kBatch, kKeys, kSize});
  for (const bool predicted : {false, true}) {
    Attention local = make({.width = 1, .predicted = predicted}, seed);
    const PreparedMemory prepared = local.prepare(memory, Mask::from_lengths(lengths()));
    const Tensor all = local(query, prepared).context.value();
    for (int64_t i = 0; i < kQueries; ++i) {
      AttendOptions call;
      if (!predicted) call.positions = full({1, 1}, static_cast<double>(i));
      const Tensor one = local(narrow(query, 1, i, 1), prepared, call).context.value();
      CHECK(largest_error(one, all.slice(1, i, i + 1)) < 1e-14);
    }
  }
}

TEST_CASE("local-p: derivatives, which reach the position, and all that masks promise") {
  const uint64_t seed = tests::seed(123);
  RandomTensors random(seed);
  const std::vector<NamedInput> inputs = {{"query", random.floating({kBatch, kQueries, kSize})},
                                          {"memory", random.floating({kBatch, kKeys, kSize})}};
  const Mask mask = Mask::from_lengths(lengths());
  for (const tests::NamedNormaliser& normaliser : tests::smooth_normalisers()) {
    INFO("seed " << seed << ", " << normaliser.name);
    Attention local = make({.width = 2, .predicted = true, .hidden_size = 2}, seed, normaliser.normaliser);
    const auto f = [&](const std::vector<Variable>& in) {
      return std::vector<Variable>{local(in[0], local.prepare(in[1], mask)).context};
    };
    const GradcheckReport report = gradcheck(local, inputs, f, {.order = 2});
    INFO(report.text());
    CHECK(report.ok);
    local.eval_();
    const auto summed = [&](const std::vector<Variable>& in) { return std::vector<Variable>{sum(f(in)[0], {1})}; };
    const PropertyReport padded = check_padding_invariance(summed, inputs, {.lengths = lengths(), .inputs = {1}});
    INFO(padded.text());
    CHECK(padded.ok);
    const PropertyReport batch = check_batch_independence(
        [&](const std::vector<Variable>& in) {
          return std::vector<Variable>{local(in[0], local.prepare(in[1], Mask::from_lengths(in[2].value()))).context};
        },
        {inputs[0], inputs[1], {"lengths", lengths()}});
    INFO(batch.text());
    CHECK(batch.ok);
    const PropertyReport masked = check_mask(f, inputs, {.mask = mask, .input = 1});
    INFO(masked.text());
    CHECK(masked.ok);
  }
  Attention local = make({.width = 2, .predicted = true}, seed);
  const Variable query = leaf(inputs[0].value), memory = leaf(inputs[1].value);
  const Variable context = local(query, local.prepare(memory, mask)).context;
  const Variable v = local.submodule("position").parameters()[0].parameter->variable();
  const std::vector<Variable> gradients = grad({sum(square(context))}, {query, memory, v});
  CHECK(all_zero(context.value().select(0, 2)));
  CHECK(all_zero(gradients[0].value().select(0, 2)));
  CHECK(all_zero(gradients[1].value().select(0, 2)));
  CHECK(!all_zero(gradients[2].value()));
}

TEST_CASE("windows: messages") {
  Generator generator(1);
  const auto made = [&](const WindowOptions& window) {
    return error_text([&] { Attention layer({.query_size = 2, .key_size = 2, .window = window}, generator); });
  };
  CHECK(made({.width = -1}) == "[attention] expected a window with width and hidden_size >= 0, got -1 and 0");
  CHECK(made({.predicted = true}) ==
        "[attention] expected a window with a width >= 1 around predicted positions, got 0");
  const Variable x = zeros({2, 3, kSize}, {.dtype = DType::f64});
  Attention plain = make({}), local = make({.width = 1}), predicted = make({.width = 1, .predicted = true});
  const std::string unwanted =
      "[attention] expected no positions: they belong to a window that is not predicted (in attention)";
  CHECK(error_text([&] { return plain(x, plain.prepare(x), {.positions = zeros({1, 3})}); }) == unwanted);
  CHECK(error_text([&] { return predicted(x, predicted.prepare(x), {.positions = zeros({1, 3})}); }) == unwanted);
  CHECK(error_text([&] {
          return local(x, local.prepare(x), {.positions = zeros({2, 4})});
        }) == "[attention] wrong positions: expected numbers [2 or 1, 3], got f32 [2, 4] (in attention)");
}

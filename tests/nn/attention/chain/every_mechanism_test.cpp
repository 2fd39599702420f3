// SPDX-License-Identifier: MIT
// What every score and normaliser of the attention chain must do: f32, copies, sizes of 0.
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/nn/attention/chain/chain.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/nn/attention/chain/chain_cases.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;

namespace {

constexpr int64_t kUnits = 4;

// Calls check(options, generator) for every score with every normaliser, with and without a window.
template <class Check>
void for_every_mechanism(const Check& check) {
  const WindowOptions windows[] = {{}, {.width = 2}, {.width = 2, .predicted = true}};
  for (const tests::NamedScore& score : tests::all_scores()) {
    for (const tests::NamedNormaliser& normaliser : tests::all_normalisers()) {
      for (const WindowOptions& window : windows) {
        INFO(score.name << ", " << normaliser.name << ", window of " << window.width << ", " << window.predicted);
        check(AttentionOptions{.query_size = kUnits,
                               .key_size = kUnits,
                               .score = score.score,
                               .window = window,
                               .normaliser = normaliser.normaliser,
                               .dropout = 0.3,
                               .dtype = DType::f64});
      }
    }
  }
}

std::vector<Tensor> outputs_of(Attention& attention, const Tensor& query, const Tensor& memory, const Mask& mask) {
  const AttentionOutput out = attention(query, memory, memory, mask, {.weights = ReturnWeights::after_dropout});
  return {out.context.value(), out.weights.value()};
}

}  // namespace

TEST_CASE("every mechanism of the chain gives in f32 what it gives in f64, to the precision of f32") {
  const uint64_t seed = tests::seed(151);
  INFO("seed " << seed);
  RandomTensors random(seed);
  const Tensor query = random.floating({2, 3, kUnits}), memory = random.floating({2, 5, kUnits});
  const Mask mask = Mask::from_lengths(tests::i64({5, 2}, {2})) & Mask::sliding_window(3);
  for_every_mechanism([&](const AttentionOptions& options) {
    Generator generator(seed);
    Attention exact(options, generator);
    exact.eval_();
    const Owned<Attention> rounded = exact.clone();
    rounded->to_(DType::f32);
    const std::vector<Tensor> expected = outputs_of(exact, query, memory, mask);
    const std::vector<Tensor> got = outputs_of(*rounded, query.to(DType::f32), memory.to(DType::f32), mask);
    for (size_t i = 0; i < expected.size(); ++i) {
      CHECK(got[i].dtype() == DType::f32);
      // Measured over five seeds: at most 8.8e-7.
      CHECK(largest_error(got[i].to(DType::f64), expected[i]) < 1e-5);
    }
  });
}

TEST_CASE("every mechanism of the chain can be copied, with its random streams") {
  const uint64_t seed = tests::seed(152);
  INFO("seed " << seed);
  RandomTensors random(seed);
  const Tensor query = random.floating({2, 3, kUnits}), memory = random.floating({2, 5, kUnits});
  for_every_mechanism([&](const AttentionOptions& options) {
    Generator generator(seed);
    Attention attention(options, generator);
    static_cast<void>(outputs_of(attention, query, memory, Mask::none()));
    const Owned<Attention> copy = attention.clone();
    const std::vector<Tensor> expected = outputs_of(attention, query, memory, Mask::none());
    const std::vector<Tensor> got = outputs_of(*copy, query, memory, Mask::none());
    for (size_t i = 0; i < expected.size(); ++i) CHECK(bitwise_equal(got[i], expected[i]));
  });
}

TEST_CASE("every mechanism of the chain takes sizes of 0, and without keys gives 0") {
  struct Sizes {
    int64_t batch, queries, keys;
  };
  for_every_mechanism([&](const AttentionOptions& options) {
    for (const Sizes& n : {Sizes{0, 2, 3}, Sizes{2, 0, 3}, Sizes{2, 1, 0}, Sizes{2, 2, 0}, Sizes{0, 0, 0}}) {
      INFO(n.batch << " items, " << n.queries << " queries, " << n.keys << " keys");
      Generator generator(1);
      Attention attention(options, generator);
      const Variable query = leaf(ones({n.batch, n.queries, kUnits}, {.dtype = DType::f64}));
      const Variable memory = leaf(ones({n.batch, n.keys, kUnits}, {.dtype = DType::f64}));
      for (const Mask& mask : {Mask::none(), Mask::causal()}) {
        const AttentionOutput out = attention(query, memory, memory, mask, {.weights = ReturnWeights::before_dropout});
        CHECK(out.context.shape() == Shape{n.batch, n.queries, kUnits});
        CHECK(out.weights.shape() == Shape{n.batch, n.queries, n.keys});
        if (n.keys == 0) CHECK(all_zero(out.context.value()));
        const std::vector<Variable> gradients =
            grad({sum(square(out.context))}, {query, memory}, {.allow_unused = true});
        for (const Variable& gradient : gradients) CHECK((!gradient.defined() || all_finite(gradient.value())));
      }
    }
  });
}

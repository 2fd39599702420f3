// SPDX-License-Identifier: MIT
// The option `checkpoint` of transformer layers: the numbers of the plain layers, in less memory.
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/losses/losses.hpp>
#include <gradus/nn/models/transformer.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/allocator_mode.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;

namespace {

TransformerLayerOptions kept_or_run_again(bool checkpoint) {
  return {.model_size = 8,
          .heads = 2,
          .feed_forward_size = 16,
          .dropout = 0.3,
          .pre_norm = true,
          .activation = Activation::gelu,
          .checkpoint = checkpoint};
}

Tensor drawn_symbols(const Shape& shape, int64_t vocab, uint64_t seed) {
  Generator generator(seed);
  return randint(shape, generator, {.low = 0, .high = vocab});
}

// Outputs and gradients of two models with the same seed, so with the same weights and dropped elements.
template <class Model, class Call>
void require_same_numbers(Model& kept, Model& again, const Call& call) {
  const auto gradients = [&](Model& model, Tensor& output) {
    std::vector<Variable> parameters;
    for (const NamedParameter& named : model.parameters()) parameters.push_back(named.parameter->variable());
    const Variable y = call(model);
    output = y.value();
    return grad({y}, parameters, {.cotangents = {RandomTensors(5).floating(y.shape(), y.dtype())}});
  };
  Tensor plain, found;
  const std::vector<Variable> expected = gradients(kept, plain), got = gradients(again, found);
  CHECK(bitwise_equal(found, plain));
  REQUIRE(got.size() == expected.size());
  REQUIRE(got.size() > 20);
  for (size_t i = 0; i < got.size(); ++i) {
    INFO(kept.parameters()[i].name);
    CHECK(bitwise_equal(got[i].value(), expected[i].value()));
    CHECK(largest_error(got[i].value(), full(got[i].shape(), 0.0)) > 0.0);
  }
}

// Live bytes at the peak of a training step, beyond those before it.
int64_t step_peak(bool checkpoint) {
  Generator generator(1);
  TransformerLm lm({.vocab = 5,
                    .layer = {.model_size = 16, .heads = 2, .feed_forward_size = 64, .checkpoint = checkpoint},
                    .num_layers = 8},
                   generator);
  const Tensor symbols = drawn_symbols({4, 64}, 5, 2);
  const int64_t before = memory_stats().live_bytes;
  reset_peak_memory();
  backward(cross_entropy(lm(symbols), symbols));
  return memory_stats().peak_bytes - before;
}

}  // namespace

TEST_CASE("transformer layers that run again give the bits of layers that keep their values, with dropout too") {
  const uint64_t seed = tests::seed(31);
  INFO("seed " << seed);
  const auto lm = [&](bool checkpoint, Generator&& generator) {
    return Owned<TransformerLm>(new TransformerLm(
        {.vocab = 7, .layer = kept_or_run_again(checkpoint), .num_layers = 2, .distance_bias = DistanceBias::learned},
        generator));
  };
  const Tensor symbols = drawn_symbols({3, 6}, 7, seed);
  const Mask mask = Mask::from_lengths(Tensor::from({6.0, 2.0, 4.0}, {3}, {.dtype = DType::i64}));
  require_same_numbers(*lm(false, Generator(seed)), *lm(true, Generator(seed)),
                       [&](TransformerLm& model) { return model(symbols, mask); });

  const auto seq2seq = [&](bool checkpoint, Generator&& generator) {
    return Owned<TransformerSeq2Seq>(new TransformerSeq2Seq({.source_vocab = 7,
                                                             .target_vocab = 6,
                                                             .layer = kept_or_run_again(checkpoint),
                                                             .num_encoder_layers = 2,
                                                             .num_decoder_layers = 2},
                                                            generator));
  };
  const Tensor target = drawn_symbols({3, 5}, 6, seed + 1);
  const Tensor lengths = Tensor::from({6.0, 2.0, 4.0}, {3}, {.dtype = DType::i64});
  require_same_numbers(*seq2seq(false, Generator(seed)), *seq2seq(true, Generator(seed)),
                       [&](TransformerSeq2Seq& model) { return model(symbols, lengths, target); });
}

TEST_CASE("transformer layers that run again keep one layer's values instead of all") {
  const tests::AllocatorModeScope scope(AllocatorMode::caching);
  const int64_t kept = step_peak(false), again = step_peak(true);
  INFO(kept << " and " << again << " bytes");
  CHECK(again * 3 < kept);  // measured: 0.264
  CHECK(again > 0);
}

TEST_CASE("transformer layers that run again can be used without recording") {
  Generator generator(1);
  TransformerEncoderLayer layer(kept_or_run_again(true), generator);
  layer.eval_();
  const Variable x = RandomTensors(4).floating({2, 3, 8}, DType::f32);
  const Tensor recorded = layer(x).value();
  const NoGrad no_grad;
  const Variable y = layer(x);
  CHECK(bitwise_equal(y.value(), recorded));
  CHECK_FALSE(y.requires_grad());
}

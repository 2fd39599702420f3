// SPDX-License-Identifier: MIT
// Steps with a past give what the whole sequence gives, in values and gradients; rows of a past can be reordered.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/transformer/transformer.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;
using tests::error_text;

namespace {

constexpr int64_t kSteps = 7, kWidth = 8;
// The pieces in which a sequence of kSteps is given.
const std::vector<int64_t> kPieces = {3, 1, 1, 2};

Variable steps(uint64_t seed, int64_t batch = 2, int64_t length = kSteps) {
  return RandomTensors(seed).floating({batch, length, kWidth}, DType::f64);
}

Tensor integers(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::i64});
}

// Calls step(piece) for each piece and joins the results.
template <class Step>
Variable in_pieces(const Variable& x, const Step& step) {
  std::vector<Variable> parts;
  for (const Variable& piece : split(x, 1, kPieces)) parts.push_back(step(piece));
  return concat(parts, 1);
}

// The whole and the pieces agree, and so do the gradients of x and of all parameters. Measured: at most 4e-15 and
// 3e-14.
template <class Whole, class Pieces>
void check_same(Module& module, const Variable& x, const Whole& whole, const Pieces& pieces) {
  std::vector<Variable> inputs = {x};
  for (const NamedParameter& named : module.parameters()) inputs.push_back(named.parameter->variable());
  const Variable a = whole(x), b = pieces(x);
  CHECK(largest_error(a.value(), b.value()) < 1e-14);
  const std::vector<Variable> of_whole = grad({sum(square(a))}, inputs, {.allow_unused = true});
  const std::vector<Variable> of_pieces = grad({sum(square(b))}, inputs, {.allow_unused = true});
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (of_whole[i].defined()) CHECK(largest_error(of_whole[i].value(), of_pieces[i].value()) < 1e-13);
  }
}

}  // namespace

TEST_CASE("MultiHeadAttention: steps with a past give what causal self-attention of the whole gives") {
  const uint64_t seed = tests::seed(71);
  INFO("seed " << seed);
  Generator generator(seed);
  MultiHeadAttentionOptions options{.model_size = kWidth, .heads = 4, .dtype = DType::f64};
  for (int variant = 0; variant < 5; ++variant) {
    INFO("variant " << variant);
    if (variant == 1) options.key_heads = 2;
    if (variant == 2) options.rotary = RotaryPairing::interleaved;
    if (variant == 3) options.rotary = RotaryPairing::half_split;
    if (variant == 4) options.memory_size = kWidth;
    const Mask mask = variant == 1 ? Mask::causal() & Mask::sliding_window(2) : Mask::causal();
    MultiHeadAttention layer(options, generator);
    check_same(
        layer, leaf(steps(seed).value()), [&](const Variable& x) { return layer(x, mask); },
        [&](const Variable& x) {
          KeyValueCache past;
          const Variable y = in_pieces(x, [&](const Variable& piece) { return layer(piece, past, mask); });
          CHECK(past.length() == kSteps);
          CHECK(past.keys.size(1) == (variant >= 1 ? 2 : 4));
          return y;
        });
  }
}

TEST_CASE("MultiHeadAttention: a prepared memory gives the bits of the memory itself, in any order of its rows") {
  Generator generator(5);
  const Variable memory = RandomTensors(6).floating({3, 4, 5}, DType::f64), query = steps(7, 3, 2);
  MultiHeadAttention layer({.model_size = kWidth, .heads = 2, .memory_size = 5, .dtype = DType::f64}, generator);
  const Tensor keep = Tensor::from({1, 0, 1, 1, /**/ 1, 1, 0, 0, /**/ 0, 0, 0, 0}, {3, 4}, {.dtype = DType::boolean});
  const Tensor order = integers({2, 0, 0, 1});
  const Mask lengths = Mask::from_lengths(integers({4, 2, 0}));
  for (const Mask& mask : {Mask::none(), lengths, Mask::keys(keep), lengths & Mask::keys(keep)}) {
    const PreparedHeads prepared = layer.prepare(memory, mask);
    const Variable direct = layer(query, memory, mask);
    CHECK(bitwise_equal(layer(query, prepared).value(), direct.value()));
    CHECK(largest_error(layer.weights(query, prepared).value(), layer.weights(query, memory, mask).value()) < 1e-15);
    const Variable reordered = layer(index_select(query, 0, order), prepared.rows(order));
    CHECK(largest_error(reordered.value(), index_select(direct, 0, order).value()) < 1e-14);
  }
}

TEST_CASE("MultiHeadAttention: a query without a memory is not read, also when the memory is prepared") {
  Generator generator(8);
  const Variable memory = RandomTensors(6).floating({2, 3, kWidth}, DType::f64);
  MultiHeadAttention layer({.model_size = kWidth, .heads = 2, .dtype = DType::f64}, generator);
  const auto run = [&](double filler) {
    const PreparedHeads prepared = layer.prepare(memory, Mask::from_lengths(integers({2, 0})));
    Tensor query = steps(7, 2, 2).value().clone();
    query.select(0, 1).fill_(filler);
    std::vector<Variable> inputs;
    for (const NamedParameter& named : layer.parameters()) inputs.push_back(named.parameter->variable());
    const Variable y = layer(Variable(query), prepared);
    std::vector<Variable> out = grad({sum(square(y))}, inputs, {.allow_unused = true});
    out.push_back(y);
    return out;
  };
  const std::vector<Variable> before = run(0.5), after = run(std::nan(""));
  for (size_t i = 0; i < before.size(); ++i) CHECK(bitwise_equal(before[i].value(), after[i].value()));
}

TEST_CASE("transformer stacks: steps with a past give what the whole gives, with any positions") {
  const uint64_t seed = tests::seed(72);
  INFO("seed " << seed);
  for (const DistanceBias bias : {DistanceBias::none, DistanceBias::alibi, DistanceBias::learned}) {
    for (const bool pre_norm : {false, true}) {
      INFO("bias " << static_cast<int>(bias) << ", pre_norm " << pre_norm);
      Generator generator(seed);
      TransformerLayerOptions layer{
          .model_size = kWidth, .heads = 4, .feed_forward_size = 6, .pre_norm = pre_norm, .dtype = DType::f64};
      if (bias == DistanceBias::none) layer.rotary = RotaryPairing::half_split;
      TransformerEncoder alone({.layer = layer, .num_layers = 2, .causal = true, .distance_bias = bias}, generator);
      TransformerDecoder decoder({.layer = layer, .num_layers = 2, .distance_bias = bias}, generator);
      const Variable x = leaf(steps(seed).value()), memory = steps(seed + 1, 2, 3);
      check_same(
          alone, x, [&](const Variable& all) { return alone(all); },
          [&](const Variable& all) {
            TransformerCache past;
            return in_pieces(all, [&](const Variable& piece) { return alone(piece, past); });
          });
      const Mask mask = Mask::from_lengths(integers({3, 1}));
      check_same(
          decoder, x, [&](const Variable& all) { return decoder(all, memory, {.memory_mask = mask}); },
          [&](const Variable& all) {
            TransformerCache past = decoder.prepare(memory, mask);
            return in_pieces(all, [&](const Variable& piece) { return decoder(piece, past); });
          });
    }
  }
}

TEST_CASE("a past continues by rows: chosen rows go on as if they had been alone") {
  Generator generator(9);
  const TransformerLayerOptions layer{.model_size = kWidth, .heads = 2, .feed_forward_size = 6, .dtype = DType::f64};
  TransformerDecoder decoder({.layer = layer, .num_layers = 2}, generator);
  const Variable x = steps(1, 3), memory = steps(2, 3, 4);
  const Mask mask = Mask::from_lengths(integers({4, 2, 0}));
  const Variable expected = decoder(x, memory, {.memory_mask = mask});
  TransformerCache past = decoder.prepare(memory, mask);
  static_cast<void>(decoder(slice(x, 1, 0, 4), past));
  const Tensor order = integers({2, 1, 1});
  TransformerCache chosen = past.rows(order);
  CHECK(chosen.length() == 4);
  const Variable rest = decoder(index_select(slice(x, 1, 4), 0, order), chosen);
  CHECK(largest_error(rest.value(), index_select(slice(expected, 1, 4), 0, order).value()) < 1e-13);
  // The past that it came from has not changed.
  CHECK(past.length() == 4);
}

TEST_CASE("a past that does not fit is refused") {
  Generator g(1);
  MultiHeadAttention layer({.model_size = 4, .heads = 2}, g);
  KeyValueCache past;
  static_cast<void>(layer(zeros({2, 1, 4}), past));
  CHECK(error_text([&] {
          return layer(zeros({3, 1, 4}), past);
        }) ==
        "[multi_head_attention] expected x of 2 rows, as many as the past has, got f32 [3, 1, 4] (in "
        "multi_head_attention)");
  CHECK(error_text([&] {
          return layer.prepare(zeros({2, 3, 4}), Mask::causal());
        }) == "[multi_head_attention] expected a mask that does not depend on the query (in multi_head_attention)");
  const PreparedHeads prepared = layer.prepare(zeros({2, 3, 4}));
  CHECK(error_text([&] {
          return layer(zeros({3, 1, 4}), prepared);
        }) == "[multi_head_attention] expected a memory of 3 rows, got f32 [2, 2, 3, 2] (in multi_head_attention)");
  const TransformerLayerOptions small{.model_size = 4, .heads = 2, .feed_forward_size = 3};
  TransformerEncoder both({.layer = small, .num_layers = 1}, g);
  TransformerEncoder causal({.layer = small, .num_layers = 1, .causal = true}, g);
  TransformerDecoder decoder({.layer = small, .num_layers = 1}, g);
  TransformerCache empty, long_past;
  long_past.layers.resize(2);
  const Variable x = zeros({1, 1, 4});
  CHECK(error_text([&] { return both(x, empty); }) ==
        "[transformer_encoder] expected causal layers, because a past does not change (in transformer_encoder)");
  CHECK(error_text([&] { return causal(x, long_past); }) ==
        "[transformer_encoder] expected a past of 1 layers, got 2 (in transformer_encoder)");
  CHECK(error_text([&] { return decoder(x, empty); }) ==
        "[transformer_decoder] expected a past that prepare() began, with 1 layers, got 0 (in transformer_decoder)");
}

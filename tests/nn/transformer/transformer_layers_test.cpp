// SPDX-License-Identifier: MIT
// Norm layers and transformer layers: formulas, masks, names and messages.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/nn/check/gradcheck.hpp>
#include <gradus/nn/transformer/transformer.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;
using tests::error_text;

namespace {

using Values = std::vector<Variable>;

std::vector<std::string> parameter_names(Module& module) {
  std::vector<std::string> names;
  for (const NamedParameter& named : module.parameters()) names.push_back(named.name);
  return names;
}

const Variable& parameter_of(Module& module, const std::string& name) {
  for (const NamedParameter& named : module.parameters()) {
    if (named.name == name) return named.parameter->variable();
  }
  throw Error("no parameter " + name);
}

TransformerLayerOptions small_layer() {
  return {.model_size = 4, .heads = 2, .feed_forward_size = 5, .dtype = DType::f64};
}

void check_passes(const PropertyReport& report) {
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.compared > 0);
}

NamedInput random_input(const char* name, const Shape& shape, uint64_t seed) {
  return {name, RandomTensors(seed).floating(shape, DType::f64)};
}

}  // namespace

TEST_CASE("LayerNorm and RmsNorm start as the plain norms and apply their weights") {
  Generator generator(1);
  LayerNorm layer({.size = 5, .dtype = DType::f64}, generator);
  LayerNorm unbiased({.size = 5, .bias = false}, generator);
  RmsNorm rms({.size = 5, .eps = 0.25, .dtype = DType::f64}, generator);
  const Variable x = RandomTensors(2).floating({3, 2, 5}, DType::f64);
  CHECK(bitwise_equal(layer(x).value(), layer_norm(x).value()));
  CHECK(bitwise_equal(rms(x).value(), rms_norm(x, {.eps = 0.25}).value()));
  CHECK(parameter_names(layer) == std::vector<std::string>{"weight", "bias"});
  CHECK(parameter_names(unbiased) == std::vector<std::string>{"weight"});
  CHECK(parameter_names(rms) == std::vector<std::string>{"weight"});
  const Variable w = RandomTensors(3).floating({5}, DType::f64), b = RandomTensors(4).floating({5}, DType::f64);
  layer.load_state_dict({{"weight", w.value()}, {"bias", b.value()}});
  rms.load_state_dict({{"weight", w.value()}});
  CHECK(largest_error(layer(x).value(), (layer_norm(x) * w + b).value()) < 1e-15);
  CHECK(largest_error(rms(x).value(), (rms_norm(x, {.eps = 0.25}) * w).value()) < 1e-15);
}

TEST_CASE("transformer layers have the names of PyTorch's parameters") {
  Generator g(1);
  TransformerEncoderLayer encoder(small_layer(), g);
  CHECK(parameter_names(encoder) ==
        std::vector<std::string>{"self_attn.in_proj_weight", "self_attn.in_proj_bias", "self_attn.out_proj.weight",
                                 "self_attn.out_proj.bias", "linear1.weight", "linear1.bias", "linear2.weight",
                                 "linear2.bias", "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"});
  TransformerLayerOptions options = small_layer();
  options.bias = false;
  options.norm = NormKind::rms;
  options.activation = Activation::swiglu;
  TransformerDecoderLayer decoder(options, g);
  CHECK(parameter_names(decoder) ==
        std::vector<std::string>{"self_attn.in_proj_weight", "self_attn.out_proj.weight",
                                 "multihead_attn.in_proj_weight", "multihead_attn.out_proj.weight", "linear1.weight",
                                 "linear2.weight", "norm1.weight", "norm2.weight", "norm3.weight", "linear3.weight"});
  Transformer model({.layer = options, .num_encoder_layers = 2, .num_decoder_layers = 1}, g);
  const std::vector<std::string> names = parameter_names(model);
  CHECK(names.size() == 2 * 7 + 1 + 10 + 1);
  for (const char* name : {"encoder.layers.1.linear3.weight", "encoder.norm.weight",
                           "decoder.layers.0.multihead_attn.out_proj.weight", "decoder.norm.weight"}) {
    CHECK(std::count(names.begin(), names.end(), name) == 1);
  }
}

TEST_CASE("the matrices of a Transformer start within the bound of xavier_uniform") {
  Generator g(3);
  Transformer model({.layer = {.model_size = 8, .heads = 2, .feed_forward_size = 24},
                     .num_encoder_layers = 1,
                     .num_decoder_layers = 1},
                    g);
  for (const NamedParameter& named : model.parameters()) {
    const Shape& shape = named.parameter->shape();
    if (shape.rank() != 2) continue;
    INFO(named.name);
    const double bound = std::sqrt(6.0 / static_cast<double>(shape[0] + shape[1]));
    const double largest = max(abs(*named.parameter)).value().at({});
    CHECK(largest <= bound);
    CHECK(largest > 0.9 * bound);
  }
}

TEST_CASE("the feed-forward part with swiglu is linear2(silu(linear1 x) linear3 x), after a norm when asked") {
  Generator g(4);
  TransformerLayerOptions options = small_layer();
  options.activation = Activation::swiglu;
  options.pre_norm = true;
  TransformerEncoderLayer layer(options, g);
  const Variable x = RandomTensors(5).floating({2, 3, 4}, DType::f64);
  const auto lin = [&](const Variable& in, const std::string& name) {
    return linear(in, parameter_of(layer, name + ".weight"), parameter_of(layer, name + ".bias"));
  };
  MultiHeadAttention attention({.model_size = 4, .heads = 2, .dtype = DType::f64}, g);
  for (const NamedParameter& named : attention.parameters()) {
    named.parameter->assign_(parameter_of(layer, "self_attn." + named.name).value());
  }
  const Variable y = x + attention(layer_norm(x), Mask::causal());
  const Variable normed = layer_norm(y);
  const Variable expected = y + lin(silu(lin(normed, "linear1")) * lin(normed, "linear3"), "linear2");
  CHECK(largest_error(layer(x, Mask::causal()).value(), expected.value()) < 1e-14);
}

TEST_CASE("dropout of a transformer layer acts in training mode alone") {
  Generator g(6);
  TransformerLayerOptions options = small_layer();
  options.dropout = 0.5;
  TransformerEncoderLayer layer(options, g);
  const Variable x = RandomTensors(7).floating({2, 3, 4}, DType::f64);
  const Tensor trained = layer(x).value();
  CHECK(!bitwise_equal(trained, layer(x).value()));
  layer.eval_();
  const Tensor plain = layer(x).value();
  CHECK(bitwise_equal(plain, layer(x).value()));
  CHECK(!bitwise_equal(plain, trained));
}

TEST_CASE("properties: transformer stacks keep masks, padding and causality") {
  const uint64_t seed = tests::seed(61);
  INFO("seed " << seed);
  const PropertyOptions options{.seed = seed};
  const Tensor lengths = Tensor::from({4, 2, 1}, {3}, {.dtype = DType::i64});
  for (const bool pre_norm : {false, true}) {
    for (const DistanceBias bias : {DistanceBias::none, DistanceBias::alibi, DistanceBias::learned}) {
      INFO("pre_norm " << pre_norm << ", bias " << static_cast<int>(bias));
      Generator g(seed);
      TransformerLayerOptions layer = small_layer();
      layer.pre_norm = pre_norm;
      if (bias == DistanceBias::none) layer.rotary = RotaryPairing::interleaved;
      TransformerEncoder causal({.layer = layer, .num_layers = 2, .causal = true, .distance_bias = bias}, g);
      TransformerEncoder encoder({.layer = layer, .num_layers = 2, .distance_bias = bias}, g);
      TransformerDecoder decoder({.layer = layer, .num_layers = 2, .distance_bias = bias}, g);
      const NamedInput x = random_input("x", {3, 4, 4}, seed), target = random_input("target", {3, 4, 4}, seed + 1);
      check_passes(check_causal([&](const Values& in) { return Values{causal(in[0])}; }, {x}, {}, options));
      check_passes(check_determinism([&](const Values& in) { return Values{encoder(in[0])}; }, {x}, options));
      const auto padded = [&](const Values& in) { return Values{encoder(in[0], Mask::from_lengths(lengths))}; };
      check_passes(check_padding_invariance(padded, {x}, {.lengths = lengths}, options));
      const auto items = [&](const Values& in) { return Values{encoder(in[0], Mask::from_lengths(in[1].value()))}; };
      check_passes(check_batch_independence(items, {x, {"lengths", lengths}}, {}, options));
      const auto decoded = [&](const Values& in) {
        return Values{decoder(in[0], in[1], {.memory_mask = Mask::from_lengths(lengths)})};
      };
      check_passes(check_causal(decoded, {target, x}, {}, options));
      check_passes(check_mask(decoded, {target, x}, {.mask = Mask::from_lengths(lengths), .input = 1}, options));
    }
  }
}

TEST_CASE("norms and transformers name what is wrong") {
  Generator g(1);
  CHECK(error_text([&] { LayerNorm layer({}, g); }) == "[layer_norm] expected size >= 1, got 0");
  CHECK(error_text([&] { RmsNorm layer({.size = 2, .eps = -1.0}, g); }) == "[rms_norm] expected eps >= 0, got -1");
  LayerNorm norm({.size = 3}, g);
  CHECK(error_text([&] {
          return norm(zeros({2, 4}));
        }) == "[layer_norm] expected x [.., 3], got f32 [2, 4] (in layer_norm)");
  CHECK(error_text([&] { TransformerEncoderLayer layer({.heads = 2, .feed_forward_size = 3}, g); }) ==
        "[transformer_encoder_layer] expected model_size >= 1, got 0");
  CHECK(error_text([&] { TransformerDecoderLayer layer({.model_size = 4, .feed_forward_size = 3}, g); }) ==
        "[transformer_decoder_layer] expected heads >= 1, got 0");
  CHECK(error_text([&] { TransformerDecoderLayer layer({.model_size = 4, .heads = 2}, g); }) ==
        "[transformer_decoder_layer] expected feed_forward_size >= 1, got 0");
  CHECK(error_text([&] { TransformerEncoder stack({.layer = small_layer()}, g); }) ==
        "[transformer_encoder] expected num_layers >= 1, got 0");
  CHECK(error_text([&] { TransformerDecoder stack({.layer = small_layer()}, g); }) ==
        "[transformer_decoder] expected num_layers >= 1, got 0");
  CHECK(error_text([&] { Transformer model({.layer = small_layer(), .num_decoder_layers = 1}, g); }) ==
        "[transformer] expected num_encoder_layers >= 1, got 0");
  CHECK(error_text([&] { Transformer model({.layer = small_layer(), .num_encoder_layers = 1}, g); }) ==
        "[transformer] expected num_decoder_layers >= 1, got 0");
  TransformerLayerOptions odd = small_layer();
  odd.model_size = 6;
  odd.rotary = RotaryPairing::interleaved;
  CHECK(error_text([&] { TransformerEncoderLayer layer(odd, g); }) ==
        "[multi_head_attention] expected heads of an even width for rotary positions, got 3");
  odd.model_size = 4;
  odd.rotary_base = 0.0;
  CHECK(error_text([&] { TransformerEncoderLayer layer(odd, g); }) ==
        "[multi_head_attention] expected rotary_base > 0, got 0");

  TransformerEncoder encoder({.layer = small_layer(), .num_layers = 1}, g);
  CHECK(error_text([&] {
          return encoder(zeros({2, 3}));
        }) == "[transformer_encoder] expected x [B, T, 4], got f32 [2, 3] (in transformer_encoder)");
  TransformerDecoder decoder({.layer = small_layer(), .num_layers = 1, .distance_bias = DistanceBias::alibi}, g);
  const Variable x = zeros({1, 2, 4}, {.dtype = DType::f64});
  const Variable bias = zeros({2, 2}, {.dtype = DType::f64});
  CHECK(error_text([&] { return decoder(x, x, {.bias = bias}); }) ==
        "[transformer_decoder] expected no bias of scores besides its own, got f64 [2, 2] (in transformer_decoder)");
}

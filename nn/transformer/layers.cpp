// SPDX-License-Identifier: MIT
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/transforms.hpp>
#include <gradus/nn/bound_parameters.hpp>
#include <gradus/nn/required_size.hpp>
#include <gradus/nn/transformer/transformer.hpp>

namespace gradus {
namespace {

const TransformerLayerOptions& checked_layer(const char* kind, const TransformerLayerOptions& options) {
  detail::require_size(kind, "model_size", options.model_size);
  detail::require_size(kind, "heads", options.heads);
  detail::require_size(kind, "feed_forward_size", options.feed_forward_size);
  return options;
}

MultiHeadAttentionOptions attention_options(const TransformerLayerOptions& options, bool self) {
  return {.model_size = options.model_size,
          .heads = options.heads,
          .key_heads = options.key_heads,
          .bias = options.bias,
          .rotary = self ? options.rotary : std::nullopt,
          .rotary_base = options.rotary_base,
          .dropout = options.dropout,
          .dtype = options.dtype};
}

LinearOptions widening(const TransformerLayerOptions& options) {
  return {.input_size = options.model_size,
          .output_size = options.feed_forward_size,
          .bias = options.bias,
          .dtype = options.dtype};
}

LinearOptions narrowing(const TransformerLayerOptions& options) {
  return {.input_size = options.feed_forward_size,
          .output_size = options.model_size,
          .bias = options.bias,
          .dtype = options.dtype};
}

// The parts of a layer that a sublayer needs.
struct Around {
  bool pre_norm;
  Dropout& dropout;

  template <class Sublayer>
  Variable operator()(const Variable& x, detail::SublayerNorm& norm, const Sublayer& sublayer) const {
    return pre_norm ? x + dropout(sublayer(norm(x))) : norm(x + dropout(sublayer(x)));
  }
};

struct FeedForward {
  Activation activation;
  Linear& linear1;
  std::optional<Linear>& linear3;
  Linear& linear2;
  Dropout& dropout;

  Variable operator()(const Variable& x) const {
    const Variable wide = linear1(x);
    if (activation == Activation::swiglu) return linear2(dropout(silu(wide) * (*linear3)(x)));
    return linear2(dropout(activation == Activation::gelu ? gelu(wide) : relu(wide)));
  }
};

// run(x), of a layer. What `run` captures is kept for the second run of a layer with checkpoint.
template <class L, class Run>
Variable run_layer(L& layer, const Variable& x, const Run& run) {
  if (!layer.options().checkpoint) return run(x);
  const auto again = [run, parameters = detail::BoundParameters(layer)](const std::vector<Variable>& in) {
    return parameters.during([&] { return run(in[0]); });
  };
  return checkpoint(again, {x});
}

}  // namespace

detail::SublayerNorm::SublayerNorm(const TransformerLayerOptions& options, const Place& place) {
  const int64_t size = options.model_size;
  const double eps = options.norm_eps;
  if (options.norm == NormKind::rms) {
    rms_.emplace(RmsNormLayerOptions{.size = size, .eps = eps, .dtype = options.dtype}, place);
  } else {
    layer_.emplace(LayerNormLayerOptions{.size = size, .eps = eps, .bias = options.bias, .dtype = options.dtype},
                   place);
  }
}

Variable detail::SublayerNorm::operator()(const Variable& x) { return rms_ ? (*rms_)(x) : (*layer_)(x); }

TransformerEncoderLayer::TransformerEncoderLayer(const TransformerLayerOptions& options, const Place& place)
    : Layer(checked_layer("transformer_encoder_layer", options), place),
      self_attn_(attention_options(options, true), child("self_attn")),
      linear1_(widening(options), child("linear1")),
      linear2_(narrowing(options), child("linear2")),
      norm1_(options, child("norm1")),
      norm2_(options, child("norm2")),
      dropout_({.p = options.dropout}, child("dropout")) {
  if (options.activation == Activation::swiglu) linear3_.emplace(widening(options), child("linear3"));
}

template <class Attend>
Variable TransformerEncoderLayer::through(const Variable& x, const Attend& attend) {
  const Around around{options().pre_norm, dropout_};
  return around(around(x, norm1_, attend), norm2_,
                FeedForward{options().activation, linear1_, linear3_, linear2_, dropout_});
}

Variable TransformerEncoderLayer::forward(const Variable& x, const Mask& mask, const Variable& bias) {
  return run_layer(*this, x, [this, mask, bias](const Variable& given) {
    return through(given, [&](const Variable& y) { return self_attn_(y, mask, bias); });
  });
}

Variable TransformerEncoderLayer::forward(const Variable& x, KeyValueCache& past, const Mask& mask,
                                          const Variable& bias) {
  return through(x, [&](const Variable& y) { return self_attn_(y, past, mask, bias); });
}

TransformerDecoderLayer::TransformerDecoderLayer(const TransformerLayerOptions& options, const Place& place)
    : Layer(checked_layer("transformer_decoder_layer", options), place),
      self_attn_(attention_options(options, true), child("self_attn")),
      multihead_attn_(attention_options(options, false), child("multihead_attn")),
      linear1_(widening(options), child("linear1")),
      linear2_(narrowing(options), child("linear2")),
      norm1_(options, child("norm1")),
      norm2_(options, child("norm2")),
      norm3_(options, child("norm3")),
      dropout_({.p = options.dropout}, child("dropout")) {
  if (options.activation == Activation::swiglu) linear3_.emplace(widening(options), child("linear3"));
}

template <class Attend, class AttendMemory>
Variable TransformerDecoderLayer::through(const Variable& x, const Attend& attend, const AttendMemory& attend_memory) {
  const Around around{options().pre_norm, dropout_};
  const Variable y = around(around(x, norm1_, attend), norm2_, attend_memory);
  return around(y, norm3_, FeedForward{options().activation, linear1_, linear3_, linear2_, dropout_});
}

Variable TransformerDecoderLayer::forward(const Variable& x, const Variable& memory, const DecoderCall& call) {
  return run_layer(*this, x, [this, memory, call](const Variable& given) {
    return through(
        given, [&](const Variable& y) { return self_attn_(y, call.mask, call.bias); },
        [&](const Variable& y) { return multihead_attn_(y, memory, call.memory_mask); });
  });
}

PreparedHeads TransformerDecoderLayer::prepare(const Variable& memory, const Mask& memory_mask) {
  const NameScope scope(scope_name());
  return multihead_attn_.prepare(memory, memory_mask);
}

Variable TransformerDecoderLayer::forward(const Variable& x, KeyValueCache& past, const PreparedHeads& memory,
                                          const Mask& mask, const Variable& bias, Variable* weights) {
  return through(
      x, [&](const Variable& y) { return self_attn_(y, past, mask, bias); },
      [&](const Variable& y) {
        if (weights != nullptr) *weights = multihead_attn_.weights(y, memory);
        return multihead_attn_(y, memory);
      });
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <gradus/nn/transformer/transformer.hpp>

#include <gradus/nn/layers.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {
namespace {

template <class Options>
const Options& checked_stack(const char* kind, const Options& options) {
  detail::require_size(kind, "num_layers", options.num_layers);
  return options;
}

void check_steps(const char* kind, const Variable& x, const TransformerLayerOptions& layer) {
  GRADUS_CHECK(x.rank() == 3 && x.size(2) == layer.model_size, "[", kind, "] expected x [B, T, ", layer.model_size,
               "], got ", describe(x));
}

TransformerEncoderOptions encoder_options(const TransformerOptions& options) {
  detail::require_size("transformer", "num_encoder_layers", options.num_encoder_layers);
  return {.layer = options.layer, .num_layers = options.num_encoder_layers, .distance_bias = options.distance_bias};
}

TransformerDecoderOptions decoder_options(const TransformerOptions& options) {
  detail::require_size("transformer", "num_decoder_layers", options.num_decoder_layers);
  return {.layer = options.layer, .num_layers = options.num_decoder_layers, .distance_bias = options.distance_bias};
}

}  // namespace

Variable detail::ScoreBias::operator()(int64_t queries, int64_t keys, DType dtype) {
  if (learned) return (*learned)(queries, keys);
  return alibi_heads == 0 ? Variable() : Variable(alibi_bias(alibi_heads, queries, keys, {.dtype = dtype}));
}

void detail::ScoreBias::make(DistanceBias kind, const TransformerLayerOptions& layer, bool causal, const Place& place) {
  if (kind == DistanceBias::alibi) alibi_heads = layer.heads;
  if (kind != DistanceBias::learned) return;
  learned.emplace(RelativeBiasOptions{.heads = layer.heads, .causal = causal, .dtype = layer.dtype}, place);
}

TransformerCache TransformerCache::rows(const Tensor& order) const {
  TransformerCache out;
  for (const KeyValueCache& layer : layers) out.layers.push_back(layer.rows(order));
  for (const PreparedHeads& layer : memory) out.memory.push_back(layer.rows(order));
  out.want_weights = want_weights;
  return out;
}

TransformerEncoder::TransformerEncoder(const TransformerEncoderOptions& options, const Place& place)
    : Layer(checked_stack("transformer_encoder", options), place),
      layers_(options.num_layers, options.layer, child("layers")) {
  if (options.final_norm) norm_.emplace(options.layer, child("norm"));
  bias_.make(options.distance_bias, options.layer, options.causal, child("relative_bias"));
}

Variable TransformerEncoder::forward(const Variable& x, const Mask& mask) {
  check_steps(kind(), x, options().layer);
  const Mask all = options().causal ? mask & Mask::causal() : mask;
  const Variable bias = bias_(x.size(1), x.size(1), x.dtype());
  Variable y = x;
  for (TransformerEncoderLayer& layer : layers_) y = layer(y, all, bias);
  return norm_ ? (*norm_)(y) : y;
}

Variable TransformerEncoder::forward(const Variable& x, TransformerCache& past, const Mask& mask) {
  check_steps(kind(), x, options().layer);
  GRADUS_CHECK(options().causal, "[transformer_encoder] expected causal layers, because a past does not change");
  GRADUS_CHECK(past.layers.empty() || static_cast<int64_t>(past.layers.size()) == layers_.size(),
               "[transformer_encoder] expected a past of ", layers_.size(), " layers, got ",
               static_cast<int64_t>(past.layers.size()));
  past.layers.resize(static_cast<size_t>(layers_.size()));
  const Variable bias = bias_(x.size(1), past.length() + x.size(1), x.dtype());
  Variable y = x;
  auto own = past.layers.begin();
  for (TransformerEncoderLayer& layer : layers_) y = layer(y, *own++, mask & Mask::causal(), bias);
  return norm_ ? (*norm_)(y) : y;
}

TransformerDecoder::TransformerDecoder(const TransformerDecoderOptions& options, const Place& place)
    : Layer(checked_stack("transformer_decoder", options), place),
      layers_(options.num_layers, options.layer, child("layers")) {
  if (options.final_norm) norm_.emplace(options.layer, child("norm"));
  bias_.make(options.distance_bias, options.layer, true, child("relative_bias"));
}

Variable TransformerDecoder::forward(const Variable& x, const Variable& memory, const DecoderCall& call) {
  check_steps(kind(), x, options().layer);
  const Variable own = bias_(x.size(1), x.size(1), x.dtype());
  GRADUS_CHECK(!own.defined() || !call.bias.defined(),
               "[transformer_decoder] expected no bias of scores besides its own, got ", describe(call.bias));
  const DecoderCall inner{.mask = call.mask, .memory_mask = call.memory_mask, .bias = own.defined() ? own : call.bias};
  Variable y = x;
  for (TransformerDecoderLayer& layer : layers_) y = layer(y, memory, inner);
  return norm_ ? (*norm_)(y) : y;
}

TransformerCache TransformerDecoder::prepare(const Variable& memory, const Mask& memory_mask) {
  const NameScope scope(scope_name());
  TransformerCache out;
  for (TransformerDecoderLayer& layer : layers_) out.memory.push_back(layer.prepare(memory, memory_mask));
  out.layers.resize(out.memory.size());
  return out;
}

Variable TransformerDecoder::forward(const Variable& x, TransformerCache& past) {
  check_steps(kind(), x, options().layer);
  const auto count = static_cast<size_t>(layers_.size());
  GRADUS_CHECK(past.layers.size() == count && past.memory.size() == count,
               "[transformer_decoder] expected a past that prepare() began, with ", layers_.size(), " layers, got ",
               static_cast<int64_t>(past.layers.size()));
  const Variable bias = bias_(x.size(1), past.length() + x.size(1), x.dtype());
  Variable y = x;
  for (size_t i = 0; i < count; ++i) {
    Variable* weights = past.want_weights && i + 1 == count ? &past.weights : nullptr;
    y = layers_[static_cast<int64_t>(i)](y, past.layers[i], past.memory[i], Mask::causal(), bias, weights);
  }
  return norm_ ? (*norm_)(y) : y;
}

Transformer::Transformer(const TransformerOptions& options, const Place& place)
    : Layer(options, place),
      encoder_(encoder_options(options), child("encoder")),
      decoder_(decoder_options(options), child("decoder")) {
  for (const NamedParameter& named : parameters()) {
    const Shape shape = named.parameter->shape();
    if (shape.rank() < 2) continue;
    named.parameter->assign_(xavier_uniform(shape, generator(), {.dtype = options.layer.dtype}));
  }
}

Variable Transformer::forward(const Variable& source, const Variable& target, const TransformerCall& call) {
  return decoder_(target, encoder_(source, call.source_mask),
                  {.mask = call.target_mask, .memory_mask = call.memory_mask});
}

}  // namespace gradus

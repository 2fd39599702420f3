// SPDX-License-Identifier: MIT
// Transformer layers, stacks of them, and an encoder with a decoder.
#pragma once

#include <optional>
#include <vector>

#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/layers.hpp>

namespace gradus {

/// What is between the two linear layers of a feed-forward part. swiglu has a third one: y = linear2(silu(linear1 x) *
/// linear3 x) (Shazeer 2020).
enum class Activation : uint8_t { relu, gelu, swiglu };
enum class NormKind : uint8_t { layer, rms };

struct TransformerLayerOptions {
  int64_t model_size = 0;         ///< E >= 1
  int64_t heads = 0;              ///< H >= 1, divides E
  int64_t feed_forward_size = 0;  ///< >= 1
  int64_t key_heads = 0;          ///< of each attention; 0: H
  /// After each sublayer, before linear2, and of the attention weights.
  double dropout = 0.0;
  /// x + f(norm(x)) (Xiong et al. 2020) instead of norm(x + f(x)) (Vaswani et al. 2017).
  bool pre_norm = false;
  Activation activation = Activation::relu;
  NormKind norm = NormKind::layer;
  double norm_eps = 1e-5;
  /// Of all linear layers and LayerNorms.
  bool bias = true;
  std::optional<RotaryPairing> rotary = {};  ///< of the self-attention
  double rotary_base = 10000.0;
  /// The backward runs the layer once more, so that only its inputs are kept until then: less memory for about a third
  /// more time (see checkpoint). Hooks then see two calls. The layer must live as long as the graph.
  bool checkpoint = false;
  DType dtype = DType::f32;
};

namespace detail {

/// The norm of a sublayer, of either kind.
class SublayerNorm {
 public:
  SublayerNorm(const TransformerLayerOptions& options, const Place& place);
  Variable operator()(const Variable& x);

 private:
  std::optional<LayerNorm> layer_;
  std::optional<RmsNorm> rms_;
};

}  // namespace detail

/// Self-attention and a feed-forward part, each with a residual connection, a norm and dropout (Vaswani et al. 2017,
/// 3.1). Parameters are named and start as in PyTorch's nn.TransformerEncoderLayer, each part as its layer does:
/// self_attn, linear1, linear2, norm1, norm2. PyTorch's layer also drops attention weights in training.
class GRADUS_API TransformerEncoderLayer : public Layer<TransformerEncoderLayer, TransformerLayerOptions> {
 public:
  TransformerEncoderLayer(const TransformerLayerOptions& options, const Place& place);

  /// x [B, T, E] -> [B, T, E]. `bias` is added to the scores and broadcasts to [B, H, T, T].
  Variable forward(const Variable& x, const Mask& mask = Mask::none(), const Variable& bias = {});
  /// The next positions x after those in `past`, as in MultiHeadAttention.
  Variable forward(const Variable& x, KeyValueCache& past, const Mask& mask = Mask::causal(),
                   const Variable& bias = {});

 private:
  template <class Attend>
  Variable through(const Variable& x, const Attend& attend);

  MultiHeadAttention self_attn_;
  Linear linear1_;
  std::optional<Linear> linear3_;
  Linear linear2_;
  detail::SublayerNorm norm1_;
  detail::SublayerNorm norm2_;
  Dropout dropout_;
};

struct DecoderCall {
  Mask mask = Mask::causal();       ///< of the self-attention
  Mask memory_mask = Mask::none();  ///< of the attention over the memory
  Variable bias = {};               ///< added to the scores of the self-attention
};

/// Self-attention, attention over a memory and a feed-forward part, named as in PyTorch's nn.TransformerDecoderLayer:
/// self_attn, multihead_attn, linear1, linear2, norm1 to norm3, which start as their layers do. Unlike there,
/// self-attention is causal unless another mask is given.
class GRADUS_API TransformerDecoderLayer : public Layer<TransformerDecoderLayer, TransformerLayerOptions> {
 public:
  TransformerDecoderLayer(const TransformerLayerOptions& options, const Place& place);

  /// x [B, T, E] and memory [B, Tk, E] -> [B, T, E].
  Variable forward(const Variable& x, const Variable& memory, const DecoderCall& call = {});
  using Layer::operator();
  Variable operator()(const Variable& x, const Variable& memory, const DecoderCall& call) {
    return Layer::operator()(x, memory, call);
  }
  /// Projects the memory once for all steps.
  PreparedHeads prepare(const Variable& memory, const Mask& memory_mask = Mask::none());
  /// The next positions x after those in `past`. `weights`, when given, becomes the weights of each head over the
  /// memory, [B, H, T, Tk].
  Variable forward(const Variable& x, KeyValueCache& past, const PreparedHeads& memory,
                   const Mask& mask = Mask::causal(), const Variable& bias = {}, Variable* weights = nullptr);

 private:
  template <class Attend, class AttendMemory>
  Variable through(const Variable& x, const Attend& attend, const AttendMemory& attend_memory);

  MultiHeadAttention self_attn_;
  MultiHeadAttention multihead_attn_;
  Linear linear1_;
  std::optional<Linear> linear3_;
  Linear linear2_;
  detail::SublayerNorm norm1_;
  detail::SublayerNorm norm2_;
  detail::SublayerNorm norm3_;
  Dropout dropout_;
};

/// A bias of the scores of all self-attentions of a stack, by the distance of key and query: none, that of alibi_bias,
/// or one RelativeBias for all layers ("relative_bias").
enum class DistanceBias : uint8_t { none, alibi, learned };

namespace detail {

/// The bias of a stack.
struct ScoreBias {
  int64_t alibi_heads = 0;
  std::optional<RelativeBias> learned;

  void make(DistanceBias kind, const TransformerLayerOptions& layer, bool causal, const Place& place);
  /// Undefined when there is none.
  Variable operator()(int64_t queries, int64_t keys, DType dtype);
};

}  // namespace detail

struct TransformerEncoderOptions {
  TransformerLayerOptions layer = {};
  int64_t num_layers = 0;  ///< >= 1
  bool final_norm = true;
  /// A position attends only to itself and to earlier ones. This is what a decoder without a memory needs.
  bool causal = false;
  DistanceBias distance_bias = DistanceBias::none;
};

/// The past of each layer of a stack.
struct [[nodiscard]] GRADUS_API TransformerCache {
  std::vector<KeyValueCache> layers = {};
  std::vector<PreparedHeads> memory = {};  ///< of a decoder: the memory, projected by each layer
  /// Of a decoder: whether each step gives the weights of its last layer over the memory, and those of the latest step,
  /// [B, H, T, Tk].
  bool want_weights = false;
  Variable weights = {};

  int64_t length() const { return layers.empty() ? 0 : layers.front().length(); }
  /// These rows, i64 [B'], in this order, without the latest weights.
  TransformerCache rows(const Tensor& order) const;
};

/// Layers one after the other: "layers.0", ..., then "norm" when there is a final norm. Each layer is drawn for itself;
/// PyTorch's stack copies one, so that all start alike.
class GRADUS_API TransformerEncoder : public Layer<TransformerEncoder, TransformerEncoderOptions> {
 public:
  TransformerEncoder(const TransformerEncoderOptions& options, const Place& place);

  /// x [B, T, E] -> [B, T, E].
  Variable forward(const Variable& x, const Mask& mask = Mask::none());
  /// The next positions x after those in `past`; the mask has past.length() + T keys. Throws unless causal.
  Variable forward(const Variable& x, TransformerCache& past, const Mask& mask = Mask::none());

 private:
  ModuleList<TransformerEncoderLayer> layers_;
  std::optional<detail::SublayerNorm> norm_;
  detail::ScoreBias bias_;
};

struct TransformerDecoderOptions {
  TransformerLayerOptions layer = {};
  int64_t num_layers = 0;  ///< >= 1
  bool final_norm = true;
  DistanceBias distance_bias = DistanceBias::none;
};

/// The same of decoder layers.
class GRADUS_API TransformerDecoder : public Layer<TransformerDecoder, TransformerDecoderOptions> {
 public:
  TransformerDecoder(const TransformerDecoderOptions& options, const Place& place);

  /// x [B, T, E] and memory [B, Tk, E] -> [B, T, E]. The bias of `call` must be undefined when the stack has one.
  Variable forward(const Variable& x, const Variable& memory, const DecoderCall& call = {});
  using Layer::operator();
  Variable operator()(const Variable& x, const Variable& memory, const DecoderCall& call) {
    return Layer::operator()(x, memory, call);
  }
  /// An empty past, with the memory as each layer needs it.
  TransformerCache prepare(const Variable& memory, const Mask& memory_mask = Mask::none());
  /// The next positions x after those in `past`, which prepare() began.
  Variable forward(const Variable& x, TransformerCache& past);

 private:
  ModuleList<TransformerDecoderLayer> layers_;
  std::optional<detail::SublayerNorm> norm_;
  detail::ScoreBias bias_;
};

struct TransformerOptions {
  TransformerLayerOptions layer = {};
  int64_t num_encoder_layers = 0;  ///< >= 1
  int64_t num_decoder_layers = 0;  ///< >= 1
  DistanceBias distance_bias = DistanceBias::none;
};

struct TransformerCall {
  Mask source_mask = Mask::none();
  Mask target_mask = Mask::causal();
  Mask memory_mask = Mask::none();
};

/// "encoder" and "decoder", each with a final norm, as PyTorch's nn.Transformer. All matrices start as there, as
/// xavier_uniform, and biases and norms as in their layers.
class GRADUS_API Transformer : public Layer<Transformer, TransformerOptions> {
 public:
  Transformer(const TransformerOptions& options, const Place& place);

  /// source [B, Ts, E] and target [B, Tt, E] -> [B, Tt, E].
  Variable forward(const Variable& source, const Variable& target, const TransformerCall& call = {});
  using Layer::operator();
  Variable operator()(const Variable& source, const Variable& target, const TransformerCall& call) {
    return Layer::operator()(source, target, call);
  }

  TransformerEncoder& encoder() noexcept { return encoder_; }
  TransformerDecoder& decoder() noexcept { return decoder_; }

 private:
  TransformerEncoder encoder_;
  TransformerDecoder decoder_;
};

}  // namespace gradus

// SPDX-License-Identifier: MIT
// Transformers on symbols: an encoder-decoder, and a language model.
#pragma once

#include <optional>

#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/nn/transformer/transformer.hpp>

namespace gradus {

/// What is added to embedded symbols. Positions that act in an attention are options of its layers (rotary) and of the
/// stack (distance_bias).
enum class SymbolPositions : uint8_t { none, sinusoidal, learned };

struct SymbolInputOptions {
  int64_t vocab = 0;       ///< >= 1
  int64_t model_size = 0;  ///< E >= 1
  SymbolPositions positions = SymbolPositions::sinusoidal;
  int64_t max_length = 0;  ///< of learned positions
  double dropout = 0.0;
  DType dtype = DType::f32;
};

/// sqrt(E) times the embedded symbols, plus positions, then dropout (Vaswani et al. 2017, 3.4). "embedding" starts as
/// N(0, 1 / sqrt(E)); learned positions are "positions".
class GRADUS_API SymbolInput : public Layer<SymbolInput, SymbolInputOptions> {
 public:
  SymbolInput(const SymbolInputOptions& options, const Place& place);

  /// i64 [B, T] -> [B, T, E]; the first symbols are at position `offset`.
  Variable forward(const Tensor& symbols, int64_t offset = 0);

  const Parameter& weight() const noexcept { return embedding_.weight(); }

 private:
  Embedding embedding_;
  std::optional<LearnedPositions> positions_;
  Dropout dropout_;
};

struct TransformerSeq2SeqOptions {
  int64_t source_vocab = 0;  ///< >= 1
  int64_t target_vocab = 0;  ///< >= 1
  TransformerLayerOptions layer = {};
  int64_t num_encoder_layers = 0;  ///< >= 1
  int64_t num_decoder_layers = 0;  ///< >= 1
  SymbolPositions positions = SymbolPositions::sinusoidal;
  int64_t max_length = 0;  ///< of learned positions
  DistanceBias distance_bias = DistanceBias::none;
  /// The output layer uses the weight of the target's embedding instead of its own, and has no bias.
  bool tied_output = false;
};

struct StartOptions {
  /// Predictions have an attention: the weights of the last layer over the source, as the mean of its heads. It costs
  /// the scores of that layer a second time.
  bool want_attention = false;
};

/// A Transformer between symbols, used like Seq2Seq. Modules: source_input, target_input, transformer, output. All
/// start as their layers do.
class GRADUS_API TransformerSeq2Seq : public Layer<TransformerSeq2Seq, TransformerSeq2SeqOptions> {
 public:
  TransformerSeq2Seq(const TransformerSeq2SeqOptions& options, const Place& place);

  /// Teacher forcing, as in Seq2Seq: source i64 [B, Ts], its lengths i64 [B] (undefined: all Ts) and target_in i64
  /// [B, Tt] -> logits [B, Tt, target_vocab].
  Variable forward(const Tensor& source, const Tensor& source_lengths, const Tensor& target_in);

  /// The target after the symbols of `prompt`, i64 [B, P] with P >= 1, for the functions of nn/decoding. The source is
  /// encoded once, and each layer keeps the keys and values of the target so far. Hooks on "transformer" see no call:
  /// its encoder and decoder are called one by one.
  Owned<Continuation> start(const Tensor& source, const Tensor& source_lengths, const Tensor& prompt,
                            const StartOptions& options = {});

  /// As Seq2Seq::greedy.
  Decoded greedy(const Tensor& source, const Tensor& source_lengths, const GreedyOptions& options);

 private:
  class Target;
  Variable embed_source(const char* called, const Tensor& source, const Tensor& lengths);
  Variable logits_of(const Variable& decoded);

  SymbolInput source_input_;
  SymbolInput target_input_;
  Transformer transformer_;
  std::optional<Linear> output_;
};

struct TransformerLmOptions {
  int64_t vocab = 0;  ///< >= 1
  TransformerLayerOptions layer = {};
  int64_t num_layers = 0;  ///< >= 1
  SymbolPositions positions = SymbolPositions::sinusoidal;
  int64_t max_length = 0;  ///< of learned positions
  DistanceBias distance_bias = DistanceBias::none;
  /// The output layer uses the weight of the embedding instead of its own, and has no bias.
  bool tied_output = false;
};

/// A language model: causal layers without a memory (Radford et al. 2018). Modules: input, decoder, output. All start
/// as their layers do.
class GRADUS_API TransformerLm : public Layer<TransformerLm, TransformerLmOptions> {
 public:
  TransformerLm(const TransformerLmOptions& options, const Place& place);

  /// symbols i64 [B, T] -> logits [B, T, vocab] of the symbol after each one. A mask only takes away, such as
  /// Mask::documents.
  Variable forward(const Tensor& symbols, const Mask& mask = Mask::none());

  /// What follows `prompt`, i64 [B, P] with P >= 1, for the functions of nn/decoding.
  Owned<Continuation> start(const Tensor& prompt);

 private:
  class Text;
  Variable logits_of(const Variable& decoded);

  SymbolInput input_;
  TransformerEncoder decoder_;
  std::optional<Linear> output_;
};

}  // namespace gradus

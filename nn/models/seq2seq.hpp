// SPDX-License-Identifier: MIT
// Seq2Seq: encoder and decoder with any cell and attention, teacher forcing, decoding.
#pragma once

#include <optional>

#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus {

enum class AttentionKind : uint8_t { none, additive, dot };

/// "none", "additive" or "dot".
GRADUS_API const char* attention_name(AttentionKind attention);

struct Seq2SeqOptions {
  int64_t source_vocab = 0;  ///< >= 1
  int64_t target_vocab = 0;  ///< >= 1
  int64_t embedding_size = 32;
  /// The size of each encoder direction, of the decoder and of the additive attention.
  int64_t hidden_size = 64;
  CellKind cell = CellKind::gru;
  AttentionKind attention = AttentionKind::additive;
  /// Dropout in training mode, on the embeddings and on the input of the output layer.
  double dropout = 0.0;
  DType dtype = DType::f32;
};

/// Encoder and decoder joined by attention (Bahdanau et al. 2015), with the cells of this library.
///   encoder: h_1 .. h_Ts, bidirectional over the embedded source; s_0 = tanh(W_s h_backward), with the backward state
///            at the first word (A.2.2); an LSTM's first cell is W_sc c_backward + b.
///   decoder: alpha_i = attention(s_{i-1}, h); c_i = sum_j alpha_ij h_j; s_i = cell([E y_{i-1}; c_i], s_{i-1});
///            logits_i = W_o [s_i; c_i; E y_{i-1}] + b (one linear layer where the paper has a maxout).
/// Without attention, c_i is the two final encoder states side by side, at every step. All parts start as their layers
/// do.
///
/// Hooks on a child module see each of its calls in these formulas, and can replace what it returns. The number of
/// calls is once per source for source_embedding, encoder, bridge, cell_bridge and attention.key_proj; once per target
/// for target_embedding and output; once per step for attention.query_proj, attention and (with attention) decoder; and
/// each use of dropout. greedy() calls all but the first five at each step. Without hooks, some of these calls are
/// computed together.
class GRADUS_API Seq2Seq : public Layer<Seq2Seq, Seq2SeqOptions> {
 public:
  Seq2Seq(const Seq2SeqOptions& options, const Place& place);

  /// Teacher forcing: source i64 [B, Ts] with its lengths i64 [B] (undefined: all Ts); symbols after a length may be
  /// anything. target_in i64 [B, Tt] is what the decoder reads: the target shifted by one, with `begin` first. Returns
  /// logits [B, Tt, target_vocab].
  Variable forward(const Tensor& source, const Tensor& source_lengths, const Tensor& target_in);

  /// The target after the symbols of `prompt`, i64 [B, P] with P >= 1, for the functions of nn/decoding. The source is
  /// encoded once. Calls the modules as greedy() does.
  Owned<Continuation> start(const Tensor& source, const Tensor& source_lengths, const Tensor& prompt);

  /// Decodes by the most probable symbol (the lowest of equal ones), in evaluation mode and without recording. Stops
  /// when all rows have ended.
  Decoded greedy(const Tensor& source, const Tensor& source_lengths, const GreedyOptions& options);

 private:
  class Target;
  /// The encoder's results that the decoder uses, prepared once.
  struct Source {
    PreparedMemory prepared;  // with attention
    Variable memory_gates;    // [B, Ts, G H]: W_c h_j; W_c c_i is then their weighted sum
    Variable context;         // without attention: [B, 1, 2 H]
    Variable context_gates;   // and W_c times it, [B, 1, G H]
    RecurrentState start;     // h and c [B, H]
  };
  struct States {
    Variable h;        // [B, Tt, H]
    Variable context;  // [B, Tt or 1, 2 H]
  };

  /// Symbols with one of the embeddings. `embedded` is set only when hooks or dropout need it.
  struct Symbols {
    EmbeddedSymbols plain;
    Variable embedded;
  };

  /// The attention of one state. `context` is set only when hooks need it at each step.
  struct Look {
    Variable weights;  // [B, 1, Ts]
    Variable context;  // [B, 1, 2 H]
  };

  Symbols embed(Embedding& embedding, const Tensor& symbols);
  Source encode(const Tensor& source, const Tensor& lengths);
  static Source rows_of(const Source& source, const Tensor& lengths, const Tensor& order);
  bool attention_has_hooks() const;
  bool needs_contexts() const { return attention_has_hooks() || decoder_.has_hooks(); }
  Variable of_context(const Variable& x) const;
  Look attend(const Variable& h, const Source& source);
  Variable context_of(const Look& look, const Source& source) const;
  Variable symbol_input(const Symbols& symbols) const;
  SequenceOutput advance(const Variable& symbol_input, const Look& look, const Source& source,
                         const RecurrentState& state);
  States unroll(const Symbols& target, const Source& source);
  Variable output_logits(const States& states, const Symbols& target);

  Embedding source_embedding_;
  Embedding target_embedding_;
  Recurrent encoder_;
  Linear bridge_;
  std::optional<Linear> cell_bridge_;
  std::optional<AdditiveAttention> additive_;
  std::optional<DotAttention> dot_;
  Recurrent decoder_;
  Linear output_;
  Dropout dropout_;
};

}  // namespace gradus

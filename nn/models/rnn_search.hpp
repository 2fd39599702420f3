// SPDX-License-Identifier: MIT
// RnnSearch: the encoder-decoder of Bahdanau et al. 2015.
#pragma once

#include <optional>

#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus {

/// What makes logits of [s_{i-1}; E y_{i-1}; c_i].
enum class DeepOutput : uint8_t {
  maxout,  ///< W_o t_i, with the larger one of each pair of t~_i = [U_o V_o C_o] [s_{i-1}; E y_{i-1}; c_i] in t_i
  linear,  ///< one linear layer
};

struct RnnSearchOptions {
  int64_t source_vocab = 0;     ///< >= 1
  int64_t target_vocab = 0;     ///< >= 1
  int64_t embedding_size = 32;  ///< m; 620 in the paper
  int64_t hidden_size = 64;     ///< n, of each encoder direction and of the decoder; 1000 in the paper
  int64_t attention_size = 0;   ///< n'; 0: n, as in the paper
  int64_t maxout_size = 0;      ///< l; 0: n / 2, at least 1, as in the paper
  DeepOutput output = DeepOutput::maxout;
  DType dtype = DType::f32;
};

/// The model of Bahdanau et al. 2015, appendix A:
///   encoder (A.2.1): h_j = [forward; backward] of a bidirectional GRU, reset before (Cho et al. 2014), over E x.
///   decoder (A.2.2): s_0 = tanh(W_s backward h_1); c_i = sum_j alpha_ij h_j with alpha_i = softmax_j(v^T tanh(W_a
///     s_{i-1} + U_a h_j)); s_i = GRU([E y_{i-1}; c_i], s_{i-1}).
///   logits_i: see DeepOutput. They depend on s_{i-1} and not on s_i, as the appendix says.
/// Bahdanau's z is 1 - z of gru_sequence. The paper leaves out biases; here all but the attention have them. Modules:
/// source_embedding, target_embedding, encoder, bridge (W_s), attention, decoder, deep_output ([U_o V_o C_o], pairs
/// side by side) for a maxout, output (W_o). All start as their layers do.
///
/// A hook on a child module sees its calls: of the attention one for each step, of the decoder one for each step but
/// the last, of the others one in all. Without hooks, some of these calls are computed together.
class GRADUS_API RnnSearch : public Layer<RnnSearch, RnnSearchOptions> {
 public:
  RnnSearch(const RnnSearchOptions& options, const Place& place);

  /// Teacher forcing, as in Seq2Seq: source i64 [B, Ts], its lengths i64 [B] (undefined: all Ts) and target_in i64
  /// [B, Tt] -> logits [B, Tt, target_vocab].
  Variable forward(const Tensor& source, const Tensor& source_lengths, const Tensor& target_in);

  /// The target after the symbols of `prompt`, i64 [B, P] with P >= 1, for the functions of nn/decoding. The source is
  /// encoded once.
  Owned<Continuation> start(const Tensor& source, const Tensor& source_lengths, const Tensor& prompt);

  /// As Seq2Seq::greedy.
  Decoded greedy(const Tensor& source, const Tensor& source_lengths, const GreedyOptions& options);

 private:
  class Target;
  struct Source {
    PreparedMemory prepared;
    Variable memory_gates;  // [B, Ts, 3 n]: the decoder's gates of h_j; undefined when the decoder itself is called
    Variable start;         // s_0 [B, n]
  };
  struct Symbols {
    EmbeddedSymbols plain;
    Variable embedded;  // set only when the embedding has hooks
  };
  struct Look {
    Variable weights;  // [B, 1, Ts]
    Variable context;  // [B, 1, 2 n], set only when hooks need it at each step
  };

  Source encode(const Tensor& source, const Tensor& lengths);
  Look attend(const Variable& state, const Source& source);
  Variable symbol_input(const Symbols& symbols) const;
  Variable advance(const Variable& symbol_input, const Look& look, const Source& source, const Variable& state);
  static Variable contexts_of(const Look& look, const Source& source);
  Variable of_all(Linear& layer, const Variable& states, const Symbols& symbols, const Variable& contexts);
  Variable logits_of(const Variable& states, const Symbols& symbols, const Variable& contexts);

  Embedding source_embedding_;
  Embedding target_embedding_;
  Gru encoder_;
  Linear bridge_;
  AdditiveAttention attention_;
  Gru decoder_;
  std::optional<Linear> deep_output_;
  std::optional<Linear> output_;
};

}  // namespace gradus

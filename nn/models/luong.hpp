// SPDX-License-Identifier: MIT
// LuongSeq2Seq: the encoder-decoder of Luong et al. 2015, with any score and normaliser of an Attention.
#pragma once

#include <vector>

#include <gradus/nn/attention/chain/chain.hpp>
#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus {

struct LuongSeq2SeqOptions {
  int64_t source_vocab = 0;  ///< >= 1
  int64_t target_vocab = 0;  ///< >= 1
  int64_t embedding_size = 32;
  int64_t hidden_size = 64;  ///< H, of encoder and decoder
  int64_t num_layers = 2;    ///< of the encoder and of the decoder; 4 in the paper
  /// Of a query [H] and a key [H]. Luong's are dot, general, concat and location.
  Score score = Score::general();
  Normaliser normaliser = Normaliser::softmax();
  /// No width: global attention. local-m: the window of step t is around source position t.
  WindowOptions window = {};
  /// The decoder reads [E y_{t-1}; h~_{t-1}], with h~_0 = 0 (3.3). Without it, all steps are computed together.
  bool input_feeding = true;
  /// Dropout in training mode, on the embeddings and on the input of the output layer.
  double dropout = 0.0;
  DType dtype = DType::f32;
};

/// The model of Luong et al. 2015, section 3:
///   encoder: an LSTM of several layers; its final states start the decoder's layers.
///   decoder: h_t = LSTM([E y_{t-1}; h~_{t-1}]), the top layer; c_t = sum_s a_t(s) h_s with a_t from the score of h_t
///     and h_s; h~_t = tanh(W_c [c_t; h_t]); logits_t = W_s h~_t + b.
/// Modules: source_embedding, target_embedding, encoder, decoder, attention, attentional (W_c, no bias), output (W_s),
/// and dropout when there is some. All start as their layers do.
///
/// Hooks see one call for each step of decoder, attention and attentional with input feeding, or else one in all. The
/// other modules are called once, and dropout at each use.
class GRADUS_API LuongSeq2Seq : public Layer<LuongSeq2Seq, LuongSeq2SeqOptions> {
 public:
  LuongSeq2Seq(const LuongSeq2SeqOptions& options, const Place& place);

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
  struct Symbols {
    EmbeddedSymbols plain;
    Variable embedded;  // set only when hooks or dropout need it
  };
  /// What one step leaves to the next one.
  struct Progress {
    std::vector<RecurrentState> layers;  // of the decoder, h and c [B, H]
    Variable feed_weight;                // the columns of h~ in the first layer's weight_ih
    Variable attentional;                // h~ [B, T, H] of the last call
    Alignment alignment;
    int64_t position = 0;
  };

  Symbols embed(Embedding& embedding, const Tensor& symbols);
  PreparedMemory encode(const Tensor& source, const Tensor& lengths, Progress& progress);
  Variable symbol_input(const Symbols& symbols) const;
  Variable advance(const Variable& symbol_input, Progress& progress);
  Variable step(const Variable& symbol_input, const PreparedMemory& memory, Progress& progress, ReturnWeights asked);
  Variable attentional_vectors(const Symbols& target, const PreparedMemory& memory, Progress& progress);

  Embedding source_embedding_;
  Embedding target_embedding_;
  Lstm encoder_;
  Lstm decoder_;
  Attention attention_;
  Linear attentional_;
  Linear output_;
  Dropout dropout_;
};

}  // namespace gradus

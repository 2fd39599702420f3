// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus::examples::char_lm {

struct CharLmOptions {
  int64_t vocab = 0;
  CellKind cell = CellKind::lstm;
  int64_t num_layers = 1;
  int64_t hidden_size = 0;
  int64_t embedding_size = 0;
  double dropout = 0.0;
};

struct [[nodiscard]] CharLmOutput {
  Variable logits;       ///< [B, T, V]: of the symbol after each one
  RecurrentState state;  ///< after the last symbol

  template <class Visit>
  void each_variable(Visit&& visit) {
    visit(logits);
  }
};

/// A language model of symbols: an embedding, recurrent layers and a linear layer. In training, dropout acts on the
/// output of each recurrent layer (Zaremba et al. 2014).
class CharLm : public Layer<CharLm, CharLmOptions> {
 public:
  CharLm(const CharLmOptions& options, const Place& place);

  /// Reads symbols i64 [B, T] from a state on. The gradient flows into the state, unless it is detached.
  CharLmOutput forward(const Tensor& symbols, const RecurrentState& state);
  /// A state of zeros.
  RecurrentState initial_state(int64_t batch) const { return recurrent_.initial_state(batch); }

 private:
  Embedding embedding_;
  Recurrent recurrent_;
  Dropout dropout_;
  Linear output_;
};

/// The number of parameters of a CharLm with these options, computed without building it.
int64_t parameter_count(const CharLmOptions& options);

}  // namespace gradus::examples::char_lm

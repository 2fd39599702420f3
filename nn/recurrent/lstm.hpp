// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus {

struct LstmOptions {
  int64_t input_size = 0;   ///< >= 1
  int64_t hidden_size = 0;  ///< >= 1
  int64_t num_layers = 1;
  bool bidirectional = false;
  /// Between layers, in training mode; needs num_layers >= 2.
  double dropout = 0.0;
  /// Added to the forget gate's bias_ih at the start.
  double forget_bias = 0.0;
  DType dtype = DType::f32;
};

/// LSTM (Hochreiter and Schmidhuber 1997, with forget gates), gate order i, f, g, o; formulas at lstm_sequence.
/// Called with x [B, T, input_size]: see RecurrentModule.
class GRADUS_API Lstm : public Layer<Lstm, RecurrentModule> {
 public:
  Lstm(const LstmOptions& options, Generator& generator);
  const LstmOptions& options() const noexcept { return options_; }
  using RecurrentModule::operator();

 private:
  LstmOptions options_;
};

}  // namespace gradus

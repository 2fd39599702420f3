// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus {

struct RnnOptions {
  int64_t input_size = 0;   ///< >= 1
  int64_t hidden_size = 0;  ///< >= 1
  int64_t num_layers = 1;
  bool bidirectional = false;
  /// Between layers, in training mode; needs num_layers >= 2.
  double dropout = 0.0;
  DType dtype = DType::f32;
};

/// Elman's recurrent network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh).
/// Called with x [B, T, input_size]: see RecurrentModule.
class GRADUS_API Rnn : public Layer<Rnn, RecurrentModule> {
 public:
  Rnn(const RnnOptions& options, Generator& generator);
  const RnnOptions& options() const noexcept { return options_; }
  using RecurrentModule::operator();

 private:
  RnnOptions options_;
};

}  // namespace gradus

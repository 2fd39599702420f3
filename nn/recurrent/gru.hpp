// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus {

struct GruOptions {
  int64_t input_size = 0;   ///< >= 1
  int64_t hidden_size = 0;  ///< >= 1
  int64_t num_layers = 1;
  bool bidirectional = false;
  /// Between layers, in training mode; needs num_layers >= 2.
  double dropout = 0.0;
  /// true: PyTorch's and cuDNN's GRU; false: Cho et al. 2014 (see gru_sequence).
  bool reset_after = true;
  DType dtype = DType::f32;
};

/// GRU (Cho et al. 2014), gate order r, z, n; formulas at gru_sequence.
/// Called with x [B, T, input_size]: see RecurrentModule.
class GRADUS_API Gru : public Layer<Gru, RecurrentModule> {
 public:
  Gru(const GruOptions& options, Generator& generator);
  const GruOptions& options() const noexcept { return options_; }
  using RecurrentModule::operator();

 private:
  GruOptions options_;
};

}  // namespace gradus

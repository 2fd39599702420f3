// SPDX-License-Identifier: MIT
// Linear: y = x W^T + b.
#pragma once

#include <gradus/nn/module.hpp>

namespace gradus {

struct LinearOptions {
  int64_t input_size = 0;   ///< >= 1
  int64_t output_size = 0;  ///< >= 1
  bool bias = true;
  DType dtype = DType::f32;
};

/// y = x weight^T + bias: x [.., in] -> [.., out]; `weight` [out, in], `bias` [out]. Both start uniform within
/// 1 / sqrt(in), as PyTorch's do.
class GRADUS_API Linear : public Layer<Linear> {
 public:
  Linear(const LinearOptions& options, Generator& generator);
  const LinearOptions& options() const noexcept { return options_; }
  Variable forward(const Variable& x) const;

  const Parameter& weight() const noexcept { return weight_; }
  /// Its variable() is undefined without a bias.
  const Parameter& bias() const noexcept { return bias_; }

 private:
  LinearOptions options_;
  Parameter weight_;
  Parameter bias_;
};

}  // namespace gradus

// SPDX-License-Identifier: MIT
// Adam and AdamW.
#pragma once

#include <gradus/optim/optimizer.hpp>

namespace gradus {

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  /// Adds weight_decay times the parameter to the gradient (L2, not AdamW).
  double weight_decay = 0.0;
};

/// Adam (Kingma and Ba 2015, algorithm 1), where t counts the updates of each parameter:
///   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///   p -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
/// m and v have the parameter's dtype. With the default beta2, a gradient of more than 5e20 in f32 (4e155 in f64) makes
/// v infinite, and from then on the parameter does not change: clip such gradients (optim/optimizer.hpp).
class GRADUS_API Adam : public Optimizer {
 public:
  explicit Adam(const std::vector<NamedParameter>& parameters, const AdamOptions& options = {});

 protected:
  void update(Slot& slot, const Tensor& gradient) override;

 private:
  AdamOptions options_;
  // 1 - beta^t for the t of the latest update. Nearly always all parameters have the same t, and two powers take longer
  // than the update of a small parameter.
  int64_t corrected_for_ = 0;
  double bias_correction1_ = 0.0;
  double bias_correction2_ = 0.0;
};

}  // namespace gradus

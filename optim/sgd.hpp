// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/optim/optimizer.hpp>

namespace gradus {

struct SgdOptions {
  Required<double> learning_rate;
  double momentum = 0.0;
  /// Looks ahead along the velocity; needs momentum.
  bool nesterov = false;
  /// Added to the gradient, times the parameter (L2).
  double weight_decay = 0.0;
};

/// Gradient descent with momentum, as PyTorch defines it (Sutskever et al. 2013 but for where the rate stands):
///   g += weight_decay p;  v = momentum v + g (v = g at first);  p -= rate v, or rate (g + momentum v) with nesterov
class GRADUS_API Sgd : public Optimizer {
 public:
  Sgd(const std::vector<NamedParameter>& parameters, const SgdOptions& options);

 protected:
  void update(Slot& slot, const Tensor& gradient) override;

 private:
  SgdOptions options_;
};

}  // namespace gradus

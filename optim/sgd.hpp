// SPDX-License-Identifier: MIT
// Stochastic gradient descent with momentum.
#pragma once

#include <gradus/optim/optimizer.hpp>

namespace gradus {

struct SgdOptions {
  Required<double> learning_rate;
  double momentum = 0.0;
  /// Look ahead along the velocity. Needs momentum.
  bool nesterov = false;
  /// Adds weight_decay times the parameter to the gradient (L2).
  double weight_decay = 0.0;
};

/// Gradient descent with momentum, as PyTorch defines it (as in Sutskever et al. 2013, except for the place of the
/// rate):
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

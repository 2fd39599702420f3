// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Update loops of optimizers over n parameters, for float and double. Constants are computed in double.

namespace gradus::kernels {

/// One step of Adam (Kingma and Ba 2015) or, with decoupled decay, AdamW (Loshchilov and Hutter 2019).
struct AdamStep {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;
  double bias_correction1 = 1;  // 1 - beta1^t
  double bias_correction2 = 1;  // 1 - beta2^t
};

/// g += weight_decay p, or p -= lr weight_decay p when decoupled; then, with eps outside the root as in PyTorch:
/// m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2;
/// p -= lr / bias_correction1 m / (sqrt(v / bias_correction2) + eps).
template <class T>
void adam_update(T* param, const T* grad, T* m, T* v, int64_t n, const AdamStep& step);

/// One step of stochastic gradient descent with momentum, as PyTorch defines it.
struct SgdStep {
  double lr = 1e-3;
  double momentum = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool first_step = false;  // the velocity starts as the gradient itself
};

/// g += weight_decay p; velocity = momentum velocity + g, or g at the first step;
/// p -= lr velocity, or lr (g + momentum velocity) with Nesterov's momentum. Without momentum: p -= lr g, and velocity
/// is not read and may be null.
template <class T>
void sgd_update(T* param, const T* grad, T* velocity, int64_t n, const SgdStep& step);

}  // namespace gradus::kernels

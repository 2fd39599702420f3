// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <variant>

// One update of n numbers by the rule of an optimizer, for float and double, in one pass. Constants are computed in
// double. An element's result depends neither on its position nor on n.

namespace gradus::kernels {

/// Stochastic gradient descent with momentum, as PyTorch defines it:
/// g += weight_decay p; velocity = momentum velocity + (1 - dampening) g, or g at the first step;
/// p -= lr velocity, or lr (g + momentum velocity) with Nesterov's momentum. Without momentum: p -= lr g.
/// State: velocity; none without momentum.
struct SgdStep {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool first_step = false;  // the velocity starts as the gradient itself, and its state is not read
};

/// Adam (Kingma and Ba 2015) or, with decoupled decay, AdamW (Loshchilov and Hutter 2019), eps outside the root:
/// g += weight_decay p, or p -= lr weight_decay p when decoupled;
/// m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2;
/// p -= lr / bias_correction1 m / (sqrt(v / bias_correction2) + eps).
/// amsgrad (Reddi et al. 2018) has the largest v so far in the place of v. State: m, v, the largest v.
struct AdamStep {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;
  bool amsgrad = false;
  double bias_correction1 = 1;  // 1 - beta1^t
  double bias_correction2 = 1;  // 1 - beta2^t
};

/// NAdam (Dozat 2016): decay, m and v as in Adam;
/// p -= (gradient_rate g + average_rate m) / (sqrt(v / bias_correction2) + eps). State: m, v.
struct NadamStep {
  double lr = 2e-3;  // only of the decoupled decay
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;
  double gradient_rate = 0;
  double average_rate = 0;
  double bias_correction2 = 1;
};

/// Adagrad (Duchi et al. 2011): g += weight_decay p; s += g^2; p -= lr g / (sqrt(s) + eps). State: s, which the first
/// step takes for `start` instead of reading it.
struct AdagradStep {
  double lr = 1e-2;
  double eps = 1e-10;
  double weight_decay = 0;
  double start = 0;
  bool first_step = false;
};

/// Adadelta (Zeiler 2012, algorithm 1): g += weight_decay p; v = rho v + (1 - rho) g^2;
/// x = sqrt(u + eps) / sqrt(v + eps) g; u = rho u + (1 - rho) x^2; p -= lr x. State: v, u.
struct AdadeltaStep {
  double lr = 1;
  double rho = 0.9;
  double eps = 1e-6;
  double weight_decay = 0;
};

/// RMSprop (Tieleman and Hinton 2012), as PyTorch defines it: g += weight_decay p; v = alpha v + (1 - alpha) g^2;
/// centered (Graves 2013): a += (1 - alpha) (g - a), and v - a^2, at least 0, in the place of v;
/// x = g / (sqrt(v) + eps); p -= lr x, or with momentum: b = momentum b + x; p -= lr b.
/// State: v, then a if centered, then b if there is a momentum.
struct RmsPropStep {
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
};

/// Lion (Chen et al. 2023, algorithm 2): p -= lr (sign(beta1 m + (1 - beta1) g) + weight_decay p), where sign(0) = 0
/// and sign(NaN) = NaN; then m = beta2 m + (1 - beta2) g. State: m.
struct LionStep {
  double lr = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0;
};

/// A running average p of the numbers in the place of the gradient: p += weight (g - p). No state.
struct AverageStep {
  double weight = 1;
};

struct OptimizerStep {
  std::variant<SgdStep, AdamStep, NadamStep, AdagradStep, AdadeltaStep, RmsPropStep, LionStep, AverageStep> rule;
};

/// The largest number of state arrays of a rule.
inline constexpr int kOptimizerStates = 3;

/// What one update reads and writes. A rule uses the first few states; the others may be null.
template <class T>
struct OptimizerArrays {
  T* param = nullptr;
  const T* grad = nullptr;
  T* state[kOptimizerStates] = {};
  int64_t n = 0;
};

template <class T>
void optimizer_update(const OptimizerStep& step, const OptimizerArrays<T>& x);

}  // namespace gradus::kernels

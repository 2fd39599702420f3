// SPDX-License-Identifier: MIT
// Optimizers (Sgd, Adam), their common base, clipping of gradients, learning rates that change with the step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradus/autograd/parameter.hpp>
#include <gradus/tensor/files/safetensors.hpp>

namespace gradus {

/// The common part of all optimizers: the parameters and, for each of them under its full path, its state and its
/// number of updates. An optimizer reads gradients and never changes them. The parameters must outlive it.
class GRADUS_API Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer();

  /// Updates every parameter that has a gradient. A parameter without one is not changed, and skipped() counts it.
  /// Throws when no parameter has a gradient, or when one changed its dtype or shape since its first update.
  void step();
  /// Drops all gradients.
  void zero_grad();

  double learning_rate() const noexcept { return learning_rate_; }
  void set_learning_rate(double learning_rate);
  /// The number of steps taken.
  int64_t steps() const noexcept { return steps_; }
  /// The number of parameters that had no gradient in the last step.
  int64_t skipped() const noexcept { return skipped_; }

  /// A copy of everything that the next step depends on besides parameters and gradients: "steps" and "learning_rate",
  /// and for each updated parameter "<path>.updates" and "<path>.<what>".
  [[nodiscard]] std::vector<NamedTensor> state_dict() const;
  /// Continues from the saved state with the same bits. Throws one Error with all names that do not match, and then
  /// changes nothing.
  void load_state_dict(const std::vector<NamedTensor>& state);

 protected:
  /// One parameter with its state. There is one tensor for each of slot_names(), of the parameter's shape and dtype,
  /// initially zero.
  struct Slot {
    NamedParameter named;
    int64_t updates = 0;
    std::vector<Tensor> tensors = {};
  };

  /// `kind` and `slot_names` must be literals. Errors begin with `kind`; `slot_names` names the state of each
  /// parameter.
  Optimizer(const char* kind, std::vector<const char*> slot_names, const std::vector<NamedParameter>& parameters,
            double learning_rate);

  /// Updates a dense parameter from a dense gradient of its dtype. slot.updates already counts this update.
  virtual void update(Slot& slot, const Tensor& gradient) = 0;

 private:
  void prepare(Slot& slot);

  const char* kind_;
  std::vector<const char*> slot_names_;
  std::vector<Slot> slots_;
  double learning_rate_;
  int64_t steps_ = 0;
  int64_t skipped_ = 0;
};

/// Scales all gradients together so that their joint norm is at most max_norm (> 0; infinity only measures), and
/// returns the norm before scaling (Pascanu et al. 2013). Ignores parameters without a gradient. Throws when a gradient
/// is not finite, names the parameter, and then changes nothing.
GRADUS_API double clip_grad_norm_(const std::vector<NamedParameter>& parameters, double max_norm);

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
/// v infinite, and from then on the parameter does not change: clip such gradients (clip_grad_norm_).
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

struct WarmupCosineOptions {
  /// The largest rate.
  Required<double> peak;
  /// The number of steps in which the rate rises; 0: none.
  int64_t warmup = 0;
  /// The number of all steps, including the rise; >= 1.
  Required<int64_t> total;
};

/// The learning rate of step 1, 2, ..: peak * step / warmup up to `warmup`, then half a cosine down to 0 at `total`,
/// and 0 afterwards. Call `optimizer.set_learning_rate(warmup_cosine(step, {...}))` before each step.
[[nodiscard]] GRADUS_API double warmup_cosine(int64_t step, const WarmupCosineOptions& options);

}  // namespace gradus

// SPDX-License-Identifier: MIT
// Optimizers (Sgd, Adam, AdamW, NAdam, Adagrad, Adadelta, RmsProp, Lion), their common base, clipping of gradients.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gradus/autograd/parameter.hpp>
#include <gradus/optim/schedule.hpp>
#include <gradus/tensor/files/safetensors.hpp>

namespace gradus {

namespace kernels {
struct OptimizerStep;
}

/// Options of their own for the parameters with certain names. No decay on biases and norms:
///   AdamW adamw(model.parameters(), {.groups = {{.names = {"*bias*", "*norm*"}, .weight_decay = 0.0}}});
/// Groups are applied in order: what a group does not set stays as it is, and a later group overrides an earlier one.
struct ParameterGroup {
  /// Patterns of full paths: `*` stands for any text, `?` for one character. Each must match a parameter.
  std::vector<std::string> names = {};
  /// Multiplies the learning rate of the optimizer, now and whenever it changes.
  std::optional<double> rate_scale = {};
  std::optional<double> weight_decay = {};
};

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
  /// The rate and the decay of one parameter, with what its groups say. Throws when there is no such path.
  double learning_rate(const std::string& path) const;
  double weight_decay(const std::string& path) const;
  /// The number of steps taken.
  int64_t steps() const noexcept { return steps_; }
  /// The number of parameters that had no gradient in the last step.
  int64_t skipped() const noexcept { return skipped_; }

  /// A copy of everything that the next step depends on besides parameters, gradients and options: "steps" and
  /// "learning_rate", and for each updated parameter "<path>.updates" and "<path>.<what>".
  [[nodiscard]] std::vector<NamedTensor> state_dict() const;
  /// Continues from the saved state with the same bits. Throws one Error with all names that do not match, and then
  /// changes nothing.
  void load_state_dict(const std::vector<NamedTensor>& state);

 protected:
  /// One parameter with its options and its state. There is one tensor for each of slot_names(), of the parameter's
  /// shape and dtype, initially zero.
  struct Slot {
    NamedParameter named;
    double rate_scale = 1.0;
    double weight_decay = 0.0;
    int64_t updates = 0;
    std::vector<Tensor> tensors = {};
  };

  /// The options that all optimizers have.
  struct Common {
    double learning_rate;
    double weight_decay;
    const std::vector<ParameterGroup>& groups;
  };

  /// `kind` and `slot_names` must be literals. Errors begin with `kind`; `slot_names` names the state of each
  /// parameter.
  Optimizer(const char* kind, std::vector<const char*> slot_names, const std::vector<NamedParameter>& parameters,
            const Common& options);

  /// Updates a dense parameter from a dense gradient of its dtype. slot.updates already counts this update.
  virtual void update(Slot& slot, const Tensor& gradient) = 0;

  double rate_of(const Slot& slot) const noexcept { return learning_rate_ * slot.rate_scale; }
  /// For update(): applies a rule of the library before step() returns, large ones in one pass over all parameters.
  void apply(Slot& slot, const Tensor& gradient, const kernels::OptimizerStep& step);

 private:
  struct Job;

  void prepare(Slot& slot);
  void run_jobs();
  const Slot& slot_of(const std::string& path) const;

  const char* kind_;
  std::vector<const char*> slot_names_;
  std::vector<Slot> slots_;
  std::vector<Job> jobs_;
  bool is_collecting_ = false;
  double learning_rate_;
  int64_t steps_ = 0;
  int64_t skipped_ = 0;
};

/// Scales all gradients together so that their joint norm is at most max_norm (> 0; infinity only measures), and
/// returns the norm before scaling (Pascanu et al. 2013). Ignores parameters without a gradient, and counts one that is
/// given twice once. Throws when a gradient is not finite, names the first such parameter, and then changes nothing.
GRADUS_API double clip_grad_norm_(const std::vector<NamedParameter>& parameters, double max_norm);
/// Limits each element of all gradients to [-max_value, max_value] (> 0). Infinite elements are limited too. Throws
/// when one is NaN, names the first such parameter, and then changes nothing.
GRADUS_API void clip_grad_value_(const std::vector<NamedParameter>& parameters, double max_value);

struct SgdOptions {
  Required<double> learning_rate;
  double momentum = 0.0;
  /// Takes this share of each gradient away before it is added to the velocity, except of the first one.
  double dampening = 0.0;
  /// Look ahead along the velocity. Needs momentum, and no dampening.
  bool nesterov = false;
  /// Adds weight_decay times the parameter to the gradient (L2).
  double weight_decay = 0.0;
  std::vector<ParameterGroup> groups = {};
};

/// Gradient descent with momentum, as PyTorch defines it (as in Sutskever et al. 2013, except for the place of the
/// rate):
///   g += weight_decay p;  v = momentum v + (1 - dampening) g (v = g at first)
///   p -= rate v, or rate (g + momentum v) with nesterov
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
  /// Adds weight_decay times the parameter to the gradient (L2; AdamW decays apart from it).
  double weight_decay = 0.0;
  /// Divides by the largest v so far (Reddi et al. 2018), which never lets a step grow again.
  bool amsgrad = false;
  std::vector<ParameterGroup> groups = {};
};

/// Adam (Kingma and Ba 2015, algorithm 1), where t counts the updates of each parameter:
///   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///   p -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
/// With amsgrad, u = max(u, v) has the place of v in the last line, as PyTorch defines it (the paper corrects nothing).
/// m and v have the parameter's dtype. With the default beta2, a gradient of more than 5e20 in f32 (4e155 in f64) makes
/// v infinite, and from then on the parameter does not change: clip such gradients (clip_grad_norm_).
class GRADUS_API Adam : public Optimizer {
 public:
  explicit Adam(const std::vector<NamedParameter>& parameters, const AdamOptions& options = {});

 protected:
  /// `kind` must be a literal. `decoupled`: the decay is AdamW's.
  Adam(const char* kind, const std::vector<NamedParameter>& parameters, const AdamOptions& options, bool decoupled);
  void update(Slot& slot, const Tensor& gradient) override;

 private:
  AdamOptions options_;
  bool decoupled_;
  // 1 - beta^t for the t of the latest update. Nearly always all parameters have the same t, and two powers take longer
  // than the update of a small parameter.
  int64_t corrected_for_ = 0;
  double bias_correction1_ = 0.0;
  double bias_correction2_ = 0.0;
};

struct AdamWOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  /// Each update takes rate times weight_decay of the parameter away, all else apart.
  double weight_decay = 0.01;
  /// As in AdamOptions.
  bool amsgrad = false;
  std::vector<ParameterGroup> groups = {};
};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2):
///   p -= rate weight_decay p;  then Adam's update, whose gradient, m and v know nothing of the decay
/// As in PyTorch, the decay is multiplied by the current rate. (The paper multiplies it by the schedule alone: its
/// lambda is weight_decay times the largest rate.) The saved state is Adam's.
class GRADUS_API AdamW : public Adam {
 public:
  explicit AdamW(const std::vector<NamedParameter>& parameters, const AdamWOptions& options = {});
};

struct NAdamOptions {
  double learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  /// Adds weight_decay times the parameter to the gradient; decoupled: takes rate times weight_decay of it away.
  double weight_decay = 0.0;
  bool decoupled_weight_decay = false;
  /// How fast the momentum rises from beta1 / 2 to beta1; 0: it stays at beta1 / 2.
  double momentum_decay = 4e-3;
  std::vector<ParameterGroup> groups = {};
};

/// Adam with Nesterov's momentum (Dozat 2016), as PyTorch defines it; m and v are Adam's:
///   mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2);  M_t = mu_1 ... mu_t
///   p -= rate ((1 - mu_t) / (1 - M_t) g + mu_(t+1) / (1 - M_(t+1)) m) / (sqrt(v / (1 - beta2^t)) + eps)
class GRADUS_API NAdam : public Optimizer {
 public:
  explicit NAdam(const std::vector<NamedParameter>& parameters, const NAdamOptions& options = {});

 protected:
  void update(Slot& slot, const Tensor& gradient) override;

 private:
  double momentum(int64_t t) const;
  double product_of_momenta(int64_t t);

  NAdamOptions options_;
  std::vector<double> products_;  // M_1, M_2, .. until they are negligible
};

struct AdagradOptions {
  double learning_rate = 1e-2;
  /// The rate of update t is divided by 1 + (t - 1) rate_decay.
  double rate_decay = 0.0;
  double eps = 1e-10;
  /// Adds weight_decay times the parameter to the gradient (L2).
  double weight_decay = 0.0;
  /// The first sum of squares.
  double initial_sum = 0.0;
  std::vector<ParameterGroup> groups = {};
};

/// Adagrad (Duchi et al. 2011), with eps and rate_decay as PyTorch has them:
///   s += g^2;  p -= rate / (1 + (t - 1) rate_decay) g / (sqrt(s) + eps)
class GRADUS_API Adagrad : public Optimizer {
 public:
  explicit Adagrad(const std::vector<NamedParameter>& parameters, const AdagradOptions& options = {});

 protected:
  void update(Slot& slot, const Tensor& gradient) override;

 private:
  AdagradOptions options_;
};

struct AdadeltaOptions {
  double learning_rate = 1.0;
  double rho = 0.9;
  double eps = 1e-6;
  /// Adds weight_decay times the parameter to the gradient (L2).
  double weight_decay = 0.0;
  std::vector<ParameterGroup> groups = {};
};

/// Adadelta (Zeiler 2012, algorithm 1; the paper has no rate, that is 1):
///   v = rho v + (1 - rho) g^2;  x = sqrt(u + eps) / sqrt(v + eps) g;  u = rho u + (1 - rho) x^2;  p -= rate x
class GRADUS_API Adadelta : public Optimizer {
 public:
  explicit Adadelta(const std::vector<NamedParameter>& parameters, const AdadeltaOptions& options = {});

 protected:
  void update(Slot& slot, const Tensor& gradient) override;

 private:
  AdadeltaOptions options_;
};

struct RmsPropOptions {
  double learning_rate = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double momentum = 0.0;
  /// Divides by the standard deviation instead of the root of the mean square.
  bool centered = false;
  /// Adds weight_decay times the parameter to the gradient (L2).
  double weight_decay = 0.0;
  std::vector<ParameterGroup> groups = {};
};

/// RMSprop (Tieleman and Hinton 2012; centered: Graves 2013), as PyTorch defines it:
///   v = alpha v + (1 - alpha) g^2;  a = alpha a + (1 - alpha) g;  w = v, or max(v - a^2, 0) if centered
///   x = g / (sqrt(w) + eps);  p -= rate x, or with momentum: b = momentum b + x;  p -= rate b
class GRADUS_API RmsProp : public Optimizer {
 public:
  explicit RmsProp(const std::vector<NamedParameter>& parameters, const RmsPropOptions& options = {});

 protected:
  void update(Slot& slot, const Tensor& gradient) override;

 private:
  RmsPropOptions options_;
};

struct LionOptions {
  double learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.99;
  /// Each update takes rate times weight_decay of the parameter away.
  double weight_decay = 0.0;
  std::vector<ParameterGroup> groups = {};
};

/// Lion (Chen et al. 2023, algorithm 2); sign(0) = 0:
///   p -= rate (sign(beta1 m + (1 - beta1) g) + weight_decay p);  m = beta2 m + (1 - beta2) g
class GRADUS_API Lion : public Optimizer {
 public:
  explicit Lion(const std::vector<NamedParameter>& parameters, const LionOptions& options = {});

 protected:
  void update(Slot& slot, const Tensor& gradient) override;

 private:
  LionOptions options_;
};

}  // namespace gradus

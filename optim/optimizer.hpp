// SPDX-License-Identifier: MIT
// Optimizer, the common base of all optimizers, and clip_grad_norm.
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

}  // namespace gradus

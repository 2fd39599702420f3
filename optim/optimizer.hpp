// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradus/autograd/parameter.hpp>
#include <gradus/tensor/files/safetensors.hpp>

namespace gradus {

/// What all optimisers share: the parameters, and for each, under its full path, its state and the number of its
/// updates. Reads gradients and never changes them. The parameters must outlive it.
class GRADUS_API Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer();

  /// Updates every parameter that has a gradient; one without is left as it is, and counted in skipped(). Throws when
  /// none has one, or when a parameter changed its dtype or shape since its first update.
  void step();
  /// Forgets all gradients.
  void zero_grad();

  double learning_rate() const noexcept { return learning_rate_; }
  void set_learning_rate(double learning_rate);
  /// How many steps were taken.
  int64_t steps() const noexcept { return steps_; }
  /// How many parameters had no gradient in the last step.
  int64_t skipped() const noexcept { return skipped_; }

  /// Everything that the next step depends on beside parameters and gradients: "steps" and "learning_rate", and for
  /// each parameter that was updated "<path>.updates" and "<path>.<what>". Copies.
  [[nodiscard]] std::vector<NamedTensor> state_dict() const;
  /// Continues bit by bit where state_dict() was taken. Throws one Error with all names that do not fit, and then has
  /// changed nothing.
  void load_state_dict(const std::vector<NamedTensor>& state);

 protected:
  /// One parameter with its state; tensors as many as slot_names() has, in the parameter's shape and dtype, zero at
  /// first.
  struct Slot {
    NamedParameter named;
    int64_t updates = 0;
    std::vector<Tensor> tensors = {};
  };

  /// `kind` and `slot_names` are literals: what errors begin with, and what is kept for each parameter.
  Optimizer(const char* kind, std::vector<const char*> slot_names, const std::vector<NamedParameter>& parameters,
            double learning_rate);

  /// One update of a dense parameter from a dense gradient of its dtype; slot.updates counts this one already.
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
/// returns the norm before (Pascanu et al. 2013). Parameters without gradient do not count. Throws, with nothing
/// changed, when a gradient is not finite, naming the parameter.
GRADUS_API double clip_grad_norm_(const std::vector<NamedParameter>& parameters, double max_norm);

}  // namespace gradus

// SPDX-License-Identifier: MIT
// Parameter: the one leaf that can be changed.
#pragma once

#include <string>
#include <vector>

#include <gradus/autograd/variable.hpp>

namespace gradus {

/// The only mutable leaf: a value that training changes, and the gradient that `backward` adds to. It cannot be copied
/// or moved, because modules and graphs hold its address. `Parameter scale{parameter("scale", ones({3}))}` makes and
/// registers a member of a module (nn/module.hpp).
class GRADUS_API Parameter {
 public:
  Parameter() = default;
  /// `value` must be f32 or f64.
  explicit Parameter(Tensor value);
  /// Calls `place.take(*this)`, which sets the value and registers the address.
  template <class Place>
  requires requires(const Place& place, Parameter& self) { place.take(self); }
  explicit Parameter(const Place& place) { place.take(*this); }
  Parameter(const Parameter&) = delete;
  Parameter& operator=(const Parameter&) = delete;
  ~Parameter();

  const Variable& variable() const noexcept { return variable_; }
  operator const Variable&() const noexcept { return variable_; }  // NOLINT(google-explicit-constructor)
  /// The current value. Training changes its elements in place; clone() it to keep the numbers.
  const Tensor& value() const noexcept { return variable_.value(); }
  const Shape& shape() const { return variable_.shape(); }
  /// The gradient since the last zero_grad_(); not defined() when none arrived. A copy of this handle keeps its
  /// numbers, because the next backward then writes to new memory.
  const Tensor& grad() const noexcept { return grad_; }

  /// False freezes the parameter: ops read it as a constant, its gradient is dropped, and no pass gives it another one,
  /// so an optimizer skips it and keeps its state. True unfreezes it.
  void set_requires_grad_(bool requires_grad);
  bool requires_grad() const noexcept { return !frozen_; }

  /// Drops the gradient.
  void zero_grad_() { grad_ = Tensor(); }
  /// Copies `grad` as the new gradient, for example after clipping. It must have the value's shape and dtype. An
  /// undefined one drops the gradient. Throws when the parameter is frozen.
  void set_grad_(const Tensor& grad);
  /// Copies `value` into this parameter in place. It must have the same shape and dtype. Earlier graphs notice the
  /// change.
  void assign_(const Tensor& value);
  /// Replaces the value by another one, of any shape and dtype, as a new leaf. Drops the gradient.
  void reset_(Tensor value);
  /// A handle for writing elements of the value in place, as an optimizer does: `mutable_value_().add_(...)`. To
  /// replace the whole value, use assign_ or reset_.
  Tensor mutable_value_() noexcept { return value_alias_; }

 private:
  friend class Pass;
  friend class ParameterBinding;
  void add_gradient(Variable&& cotangent);

  Variable variable_;
  Variable leaf_;       // variable_ when it is not frozen
  Tensor value_alias_;  // shares the bytes of variable_
  Tensor grad_;
  bool frozen_ = false;
};

/// A parameter with its full path, such as "encoder.weight_ih_l0". Modules pass these to optimizers.
struct NamedParameter {
  std::string name;
  Parameter* parameter = nullptr;
};

/// During its lifetime, `parameter` is replaced by another Variable of its shape and dtype, so that a module becomes a
/// function of its parameters. Do not train meanwhile: the parameter's own value and gradient do not change.
class ParameterBinding {
 public:
  [[nodiscard]] ParameterBinding(Parameter& parameter, const Variable& value)
      : parameter_(parameter), own_(parameter.variable_) {
    GRADUS_CHECK(value.defined() && value.shape() == own_.shape() && value.dtype() == own_.dtype(),
                 "[ParameterBinding] expected ", describe(own_), ", got ", describe(value));
    parameter_.variable_ = value;
  }
  ~ParameterBinding() { parameter_.variable_ = own_; }
  ParameterBinding(const ParameterBinding&) = delete;
  ParameterBinding& operator=(const ParameterBinding&) = delete;

 private:
  Parameter& parameter_;
  Variable own_;
};

/// The meaning of an axis, for the report. Without blocks, position 3 reads "time step 3". With blocks, the axis is cut
/// into that many equal parts: {"gate", {"i", "f", "g", "o"}} makes position 5 of 12 read "gate f, unit 2".
struct AxisLabel {
  std::string name;
  std::vector<std::string> blocks = {};
};

/// Labels for inputs that are named elsewhere, such as the parameters of a module.
struct InputLabels {
  /// The whole name, or its end after a dot: "weight_hh" also matches "encoder.weight_hh".
  std::string input;
  std::vector<AxisLabel> axes;
};

}  // namespace gradus

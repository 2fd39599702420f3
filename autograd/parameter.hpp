// SPDX-License-Identifier: MIT
// Parameter: the one leaf that can be changed.
#pragma once

#include <string>
#include <vector>

#include <gradus/autograd/variable.hpp>

namespace gradus {

/// The one mutable leaf: a value that training changes, and the gradient that `backward` adds into. Neither copied nor
/// moved, because modules and graphs hold its address.
class GRADUS_API Parameter {
 public:
  Parameter() = default;
  /// `value`: f32 or f64.
  explicit Parameter(Tensor value);
  Parameter(const Parameter&) = delete;
  Parameter& operator=(const Parameter&) = delete;
  ~Parameter();

  const Variable& variable() const noexcept { return variable_; }
  operator const Variable&() const noexcept { return variable_; }  // NOLINT(google-explicit-constructor)
  /// The elements that training writes; clone() them to keep what they are.
  const Tensor& value() const noexcept { return variable_.value(); }
  const Shape& shape() const { return variable_.shape(); }
  /// The gradient gathered since the last zero_grad_(); not defined() when none arrived. A copy of this handle keeps
  /// what it holds: the next backward writes elsewhere then.
  const Tensor& grad() const noexcept { return grad_; }

  /// Forgets the gradient.
  void zero_grad_() { grad_ = Tensor(); }
  /// Takes a copy of `grad` as the gradient (clipping, or one computed elsewhere); requires the value's shape and
  /// dtype. Undefined: forgets the gradient.
  void set_grad_(const Tensor& grad);
  /// Copies `value` into this parameter in place; requires its shape and dtype. Graphs recorded before notice the
  /// change.
  void assign_(const Tensor& value);
  /// Takes another value, of any shape and dtype, as a new leaf; the gradient goes.
  void reset_(Tensor value);
  /// A handle of the value for writing its elements in place, as an optimizer does: `mutable_value_().add_(...)`.
  /// Another value as a whole is taken by assign_ or reset_.
  Tensor mutable_value_() noexcept { return value_alias_; }

 private:
  friend class Pass;
  friend class ParameterBinding;
  void add_gradient(Variable&& cotangent);

  Variable variable_;
  Tensor value_alias_;  // shares the bytes of variable_
  Tensor grad_;
};

/// A parameter by its full path, "encoder.weight_ih_l0": what modules hand to optimizers.
struct NamedParameter {
  std::string name;
  Parameter* parameter = nullptr;
};

/// While it lives, `parameter` stands for another Variable of its shape and dtype: a module becomes a function of its
/// parameters. Not to be trained meanwhile: the parameter's own value and gradient rest.
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

/// What an axis means, for the report. Without blocks position 3 reads "time step 3"; with them the axis is cut into
/// as many equal parts: {"gate", {"i", "f", "g", "o"}} makes position 5 of 12 read "gate f, unit 2".
struct AxisLabel {
  std::string name;
  std::vector<std::string> blocks = {};
};

/// Labels for inputs that are named elsewhere, as a module's parameters are.
struct InputLabels {
  /// The whole name, or its end after a dot: "weight_hh" stands for "encoder.weight_hh" too.
  std::string input;
  std::vector<AxisLabel> axes;
};

}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <gradus/autograd/parameter.hpp>

#include <gradus/autograd/engine/node.hpp>

namespace gradus {
namespace {

NodeRef make_leaf(const Tensor& value) {
  GRADUS_CHECK(value.defined() && is_floating(value.dtype()), "[leaf] expected an f32 or f64 tensor, got ",
               describe(value));
  NodeRef node = detail::make_node(nullptr, Attrs(), 0, 1);
  new (&node->output(0)) OutputSlot(value, false);
  return node;
}

}  // namespace

Variable leaf(Tensor value) {
  NodeRef node = make_leaf(value);
  return Variable(std::move(value), std::move(node), 0);
}

Parameter::Parameter(Tensor value) { reset_(std::move(value)); }

Parameter::~Parameter() {
  if (leaf_.node()) leaf_.node()->parameter = nullptr;
}

void Parameter::reset_(Tensor value) {
  if (leaf_.node()) leaf_.node()->parameter = nullptr;
  // Training writes in place, so the bytes must be dense and not shared.
  value_alias_ = value.clone();
  leaf_ = leaf(value_alias_);
  leaf_.node()->parameter = this;
  leaf_.node()->of_parameter = true;
  variable_ = frozen_ ? leaf_.detach() : leaf_;
  grad_ = Tensor();
}

void Parameter::set_requires_grad_(bool requires_grad) {
  frozen_ = !requires_grad;
  variable_ = frozen_ ? leaf_.detach() : leaf_;
  if (frozen_) grad_ = Tensor();
}

void Parameter::assign_(const Tensor& value) {
  GRADUS_CHECK(value.defined() && value.shape() == shape() && value.dtype() == variable_.dtype(), "[assign_] expected ",
               describe(variable_), ", got ", describe(value));
  value_alias_.copy_(value);
}

void Parameter::set_grad_(const Tensor& grad) {
  GRADUS_CHECK(!frozen_ || !grad.defined(), "[set_grad_] the parameter ", describe(variable_),
               " is frozen: expected no gradient, got ", describe(grad));
  GRADUS_CHECK(!grad.defined() || (grad.shape() == shape() && grad.dtype() == variable_.dtype()),
               "[set_grad_] expected ", describe(variable_), ", got ", describe(grad));
  // Backward adds into the gradient, so its bytes must not be shared.
  grad_ = grad.defined() ? grad.clone() : Tensor();
}

// A copied handle of the gradient keeps its numbers, so this writes only to bytes that nothing else shares.
void Parameter::add_gradient(Variable&& cotangent) {
  if (frozen_) return;
  Tensor value = cotangent.value();
  cotangent = Variable();
  if (grad_.defined()) {
    if (!grad_.is_unique()) grad_ = grad_.clone();
    grad_.add_(value);
  } else if (value.is_contiguous() && value.is_unique()) {
    grad_ = std::move(value);
  } else {
    grad_ = value.clone();
  }
}

}  // namespace gradus

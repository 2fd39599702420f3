// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/op.hpp>
#include <gradus/autograd/reference.hpp>
#include <gradus/tensor/kernels/tensor_elementwise.hpp>

// Pieces of activations that have one kernel forward and one back: op(x), and op_backward(x, g) = g op'(x).

namespace gradus::activation {

template <kernels::ActivationFn kFn>
void forward(ForwardArgs& f) {
  kernels::activation(kFn, 0.0, 0.0, f.in(0), f.out(0));
}

template <kernels::ActivationFn kFn>
void backward(ForwardArgs& f) {
  kernels::activation_backward(kFn, 0.0, 0.0, f.in(0), f.in(1), f.out(0));
}

/// What the backward op means: the derivative of the forward op's reference.
template <const OpDef& kForward>
void reference_of_backward(const Attrs& attrs, InputSpan inputs, Variable* outputs) {
  const Variable cotangents[1] = {*inputs[1]};
  Variable gradients[1];
  gradus::reference_of_backward(kForward, attrs, inputs.first(1), cotangents, 0b1, gradients);
  outputs[0] = gradients[0];
}

}  // namespace gradus::activation

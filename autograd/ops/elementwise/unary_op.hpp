// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <vector>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/engine/reference.hpp>

// Helpers for ops of one floating input x, and for their backward ops, of x and a cotangent.

namespace gradus::detail {

/// The reference of the backward op: the derivative of the forward op's reference.
template <const OpDef& kForward>
void reference_of_unary_backward(const Attrs& attrs, InputSpan inputs, Variable* outputs) {
  const Variable cotangents[1] = {*inputs[1]};
  Variable gradients[1];
  reference_of_backward(kForward, attrs, inputs.first(1), cotangents, 0b1, gradients);
  outputs[0] = gradients[0];
}

}  // namespace gradus::detail

namespace gradus::op_examples {

inline std::vector<Example> unary(const Domain& domain, const Attrs& attrs = {}) {
  return {
      {.name = "matrix", .attrs = attrs, .inputs = {real({3, 4}, domain)}},
      {.name = "one past a vector", .attrs = attrs, .inputs = {real({17}, domain)}},
      {.name = "scalar", .attrs = attrs, .inputs = {real({}, domain)}},
      {.name = "empty", .attrs = attrs, .inputs = {real({0}, domain)}},
      {.name = "integers",
       .attrs = attrs,
       .inputs = {integers({2}, 0, 3)},
       .error = "expected a floating input (f32 or f64), got i64"},
  };
}

inline std::vector<Example> pair(const Domain& first, const Attrs& attrs = {}, const Domain& second = {}) {
  return {
      {.name = "matrix", .attrs = attrs, .inputs = {real({3, 4}, first), real({3, 4}, second)}},
      {.name = "one past a vector", .attrs = attrs, .inputs = {real({17}, first), real({17}, second)}},
      {.name = "scalar", .attrs = attrs, .inputs = {real({}, first), real({}, second)}},
      {.name = "empty", .attrs = attrs, .inputs = {real({0}, first), real({0}, second)}},
      {.name = "shapes differ",
       .attrs = attrs,
       .inputs = {real({2}, first), real({3}, second)},
       .error = "a is f64 [2], b is f64 [3]"},
  };
}

/// An example with given inputs and outputs.
inline Example known(const char* name, std::initializer_list<double> x, std::initializer_list<double> y,
                     const Attrs& attrs = {}) {
  const TensorOptions f64{.dtype = DType::f64};
  const auto count = static_cast<int64_t>(x.size());
  return {.name = name,
          .attrs = attrs,
          .inputs = {fixed(Tensor::from(x, {count}, f64))},
          .expected = {Tensor::from(y, {count}, f64)}};
}

inline std::vector<Example> anywhere() { return unary(Domain{}); }
inline std::vector<Example> off_zero() { return unary(Domain{.keep_away = {0.0}}); }

}  // namespace gradus::op_examples

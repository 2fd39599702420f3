// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/views/views.hpp>

// What the public functions of two operands do before they apply an op, whose operands have equal shapes.

namespace gradus::detail {

/// A number as a tensor of x's dtype, rank 0: expanding it moves no bytes.
inline Variable number_like(const Variable& x, double value) { return full({}, value, {.dtype = x.dtype()}); }

/// Zeros of x's shape that depend on x with derivative 0, to any order, whatever x holds: 0 times infinity would be
/// NaN.
inline Variable zeros_from(const Variable& x) { return relu_backward(expand(number_like(x, -1.0), x.shape()), x); }

/// An integer as a tensor of rank 0: as a double, a large one would be another.
inline Variable whole_number(int64_t value) { return Tensor::from(std::span<const int64_t>(&value, 1), {}); }

inline Variable broadcast_binary(const OpDef& op, const Attrs& attrs, const Variable& a, const Variable& b) {
  // apply() says which one is undefined.
  if (!a.defined() || !b.defined() || a.shape() == b.shape()) return apply(op, attrs, {&a, &b});
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), op.name);
  const Variable left = expand(a, shape);
  const Variable right = expand(b, shape);
  return apply(op, attrs, {&left, &right});
}

}  // namespace gradus::detail

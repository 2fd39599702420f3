// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>

#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/views/views.hpp>

// Helpers of the public functions of two operands, which broadcast before they apply an op on equal shapes.

namespace gradus::detail {

/// Throws `[called] ...` when an i64 or bool tensor cannot hold the number.
inline void require_number(const char* called, DType dtype, double value) {
  if (is_floating(dtype)) return;
  GRADUS_CHECK(dtype != DType::i64 || (value >= -0x1p63 && value < 0x1p63 && value == std::trunc(value)), "[", called,
               "] expected a whole number for i64, got ", value);
  GRADUS_CHECK(dtype != DType::boolean || value == 0.0 || value == 1.0, "[", called, "] expected 0 or 1 for bool, got ",
               value);
}

/// A number as a tensor of x's dtype, rank 0. Expanding it copies nothing. Throws `[called] ...` when the dtype cannot
/// hold it.
inline Variable number_like(const Variable& x, double value, const char* called = "number") {
  require_number(called, x.dtype(), value);
  return full({}, value, {.dtype = x.dtype()});
}

/// Zeros of x's shape that depend on x with derivative 0, to any order, for any values of x. (0 * x would be NaN where
/// x is infinite.)
inline Variable zeros_from(const Variable& x) { return relu_backward(expand(number_like(x, -1.0), x.shape()), x); }

/// An integer as a tensor of rank 0. (A double would round a large integer.)
inline Variable whole_number(int64_t value) { return Tensor::from(std::span<const int64_t>(&value, 1), {}); }

inline Variable broadcast_binary(const OpDef& op, const Attrs& attrs, const Variable& a, const Variable& b) {
  // apply() throws and says which operand is undefined.
  if (!a.defined() || !b.defined() || a.shape() == b.shape()) return apply(op, attrs, {&a, &b});
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), op.name);
  const Variable left = expand(a, shape);
  const Variable right = expand(b, shape);
  return apply(op, attrs, {&left, &right});
}

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/kernels/elementwise/activation.hpp>
#include <gradus/tensor/kernels/elementwise/elementwise.hpp>
#include <gradus/tensor/tensor.hpp>

// The loops of elementwise.hpp over whole tensors with any strides. Operands have equal shapes (an expanded operand has
// stride 0 and is not copied) and equal floating dtypes unless a comment says otherwise. The caller has checked both.
// The functions in integers.hpp run on i64 as well.

namespace gradus::kernels {

void unary(UnaryFn fn, const Tensor& x, Tensor& y);
void binary(BinaryFn fn, const Tensor& a, const Tensor& b, Tensor& y);
/// y = a^b, computed by std::pow.
void pow(const Tensor& a, const Tensor& b, Tensor& y);
/// y = fn(x) and y = g fn'(x).
void activation(ActivationFn fn, double p, double q, const Tensor& x, Tensor& y);
void activation_backward(ActivationFn fn, double p, double q, const Tensor& x, const Tensor& g, Tensor& y);
/// y = a + w (b - a).
void lerp(const Tensor& a, const Tensor& b, const Tensor& w, Tensor& y);
/// All bool.
enum class LogicalFn : uint8_t { conjunction, disjunction, exclusive };
void logical(LogicalFn fn, const Tensor& a, const Tensor& b, Tensor& y);
/// y: bool. Any dtype.
void compare(CompareFn fn, const Tensor& a, const Tensor& b, Tensor& y);
/// y = keep ? a : b; keep: bool. Any dtype.
void where(const Tensor& keep, const Tensor& a, const Tensor& b, Tensor& y);
/// y = scale * x + shift; for i64, both must be whole numbers that fit i64.
void affine(const Tensor& x, double scale, double shift, Tensor& y);
/// y += scale * x, y *= scale, in place.
void add_scaled(Tensor& y, const Tensor& x, double scale);
void scale(Tensor& y, double scale);

}  // namespace gradus::kernels

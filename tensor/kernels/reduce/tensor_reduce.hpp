// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/kernels/reduce/reduce.hpp>
#include <gradus/tensor/tensor.hpp>

// Reductions of whole tensors with any strides. y is dense and has the rank of x. The axes on which its size is 1 are
// reduced. The order of all additions depends only on the shape and the strides of x. The caller has checked shapes and
// dtypes.

namespace gradus::kernels {

/// y = fn of x (f32, f64 or i64). An element repeated by a stride of 0 is read once.
void reduce(ReduceFn fn, const Tensor& x, Tensor& y);

inline void sum(const Tensor& x, Tensor& y) { reduce(ReduceFn::sum, x, y); }

/// bool: whether any element is true, or whether all are.
void any(const Tensor& x, Tensor& y);
void all(const Tensor& x, Tensor& y);

/// NaN for no elements. The mean is finite when its true value is, even when the sum overflows.
void mean(const Tensor& x, Tensor& y);

/// y = x - mean(x); `reduced` is the shape of the mean, y has that of x.
void center(const Tensor& x, const Shape& reduced, Tensor& y);

/// y = sum (x - mean)^2 / (n - correction), or its square root, computed in two passes; NaN when n <= correction.
enum class Root : uint8_t { no, yes };
void variance(const Tensor& x, double correction, Root root, Tensor& y);

/// y = log sum e^x: -infinity for no elements, or when all are -infinity.
void logsumexp(const Tensor& x, Tensor& y);
/// dx = g e^(x - logsumexp(x)), 0 where all x are -infinity; g has the shape of logsumexp(x).
void logsumexp_backward(const Tensor& x, const Tensor& g, Tensor& dx);

/// y = (sum |x|^p)^(1 / p), 1 <= p < infinity.
void vector_norm(const Tensor& x, double p, Tensor& y);
/// dx = g sign(x) (|x| / y)^(p - 1), and 0 where y is 0; y = vector_norm(x), g has its shape.
void vector_norm_backward(const Tensor& x, const Tensor& y, const Tensor& g, double p, Tensor& dx);

/// dx_i = g times the product of all x_j, j != i, in its row; g has the shape of the product.
void prod_backward(const Tensor& x, const Tensor& g, Tensor& dx);

/// y (i64) = the first index of the largest or smallest element among those reduced, counted row-major over the reduced
/// axes; NaN counts as more extreme than any number. There is at least one element. x: f32, f64 or i64.
void argmax(const Tensor& x, Tensor& y);
void argmin(const Tensor& x, Tensor& y);

}  // namespace gradus::kernels

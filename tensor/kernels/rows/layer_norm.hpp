// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

// Normalises rows of x [N, n], f32 or f64: layer norm (Ba et al. 2016), or RMS norm (Zhang and Sennrich 2019) when
// `mean` is null. Inputs have any strides, outputs are dense. n may be 0. Rows whose squares overflow or underflow the
// dtype give the right result too.

namespace gradus::kernels {

/// y = (x - mean) rstd weight + bias, with mean = sum x / n (0 when `mean` is null) and rstd = 1 / sqrt(sum (x -
/// mean)^2 / n + eps). weight and bias [n] may be null, which means 1 and 0. Writes mean and rstd [N].
void layer_norm(const Tensor& x, const Tensor* weight, const Tensor* bias, double eps, Tensor& y, Tensor* mean,
                Tensor& rstd);

/// dx = rstd (h - sum h / n - z sum(h z) / n) with h = g weight, z = (x - mean) rstd; without the second term when
/// `mean` is null. dweight [n] = the sum of g z over the rows; it may be null.
void layer_norm_backward(const Tensor& x, const Tensor* weight, const Tensor& g, const Tensor* mean, const Tensor& rstd,
                         double eps, Tensor& dx, Tensor* dweight);

}  // namespace gradus::kernels

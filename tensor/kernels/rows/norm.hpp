// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Normalisation of the rows of x [rows, n], for float and double: layer norm (Ba et al. 2016) with an array of means,
// RMS norm (Zhang and Sennrich 2019) without one. n may be 0. Rows whose squares leave the range of T are right too.

namespace gradus::kernels {

/// y = (x - mean) rstd weight + bias, mean = sum x / n, or 0 where `mean` is null, rstd = 1 / sqrt(sum (x - mean)^2 / n
/// + eps). weight and bias [n] may be null: 1 and 0. Writes mean and rstd [rows].
template <class T>
void norm_rows(const T* x, const T* weight, const T* bias, double eps, T* y, T* mean, T* rstd, int64_t rows, int64_t n);

/// dx = rstd (h - sum h / n - z sum(h z) / n) with h = g weight, z = (x - mean) rstd; without the second term where
/// `mean` is null. Unless it is null, dweight [n] = the sum of g z over the rows.
template <class T>
void norm_backward_rows(const T* x, const T* weight, const T* g, const T* mean, const T* rstd, double eps, T* dx,
                        T* dweight, int64_t rows, int64_t n);

}  // namespace gradus::kernels

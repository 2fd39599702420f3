// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Rows x [rows, n], for float and double, each reduced or changed as a whole.

namespace gradus::kernels {

/// y[r] = sum_i (x[r, i] - mean_r)^2 / divisor, or the square root of that; n > 0. Computes the mean first, because a
/// single pass would subtract two large sums and lose all digits. Corrects for the rounding of the mean.
template <class T>
void variance_rows(const T* x, int64_t rows, int64_t n, double divisor, bool root, T* y);

/// y[r, i] = x[r, i] - mean_r, n > 0.
template <class T>
void center_rows(const T* x, int64_t rows, int64_t n, T* y);

/// y[i, c] = x[i, c] - mean of column c: `cols` columns of x and y [n, pitch], n > 0.
template <class T>
void center_cols(const T* x, int64_t n, int64_t pitch, int64_t cols, T* y);

/// y[r] = log sum e^x[r, :]: -infinity for a row of -infinity, and for n = 0.
template <class T>
void logsumexp_rows(const T* x, T* y, int64_t rows, int64_t n);

/// dx[r] = g[r] softmax(x[r]): 0 for a row of -infinity.
template <class T>
void logsumexp_backward_rows(const T* x, const T* g, T* dx, int64_t rows, int64_t n);

}  // namespace gradus::kernels

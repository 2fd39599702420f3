// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Rows about their mean: x [rows, n], n > 0, for float and double. The mean first: the difference of two large sums,
// which one pass would take, loses all digits. What rounding the mean does is taken back.

namespace gradus::kernels {

/// y[r] = sum_i (x[r, i] - mean_r)^2 / divisor, or the square root of that.
template <class T>
void variance_rows(const T* x, int64_t rows, int64_t n, double divisor, bool root, T* y);

/// y[r, i] = x[r, i] - mean_r.
template <class T>
void center_rows(const T* x, int64_t rows, int64_t n, T* y);

/// y[i, c] = x[i, c] - mean of column c: `cols` columns of x and y [n, pitch].
template <class T>
void center_cols(const T* x, int64_t n, int64_t pitch, int64_t cols, T* y);

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Plain loops along rows, for float and double: what depends on the element before cannot be split into lanes.

namespace gradus::kernels {

/// y[i, c] = x[0, c] + ... + x[i, c], accumulated in double: x and y [n, cols] dense, y may be x. With step -1 the sums
/// run from the last row to the first.
template <class T>
void cumsum_cols(const T* x, int64_t n, int64_t cols, int64_t step, T* y);

/// y[i] = g times the product of x[j] over all j != i; no division, so that zeros are right. y apart from x.
template <class T>
void products_of_others(const T* x, int64_t n, T g, T* y);

/// (sum |x_i|^p)^(1 / p), 1 <= p < infinity, without overflow on the way; 0 for n = 0.
template <class T>
T norm_of_run(const T* x, int64_t n, double p);

}  // namespace gradus::kernels

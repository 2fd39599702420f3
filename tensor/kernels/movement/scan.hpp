// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Plain loops along rows, for float and double: what depends on the element before cannot be split into lanes. cumsum
// takes i64 too.

namespace gradus::kernels {

/// y[i, c] = x[0, c] + ... + x[i, c], accumulated in double (i64: in i64, wrapping): x and y [n, cols] dense, y may be
/// x. With step -1 the sums run from the last row to the first.
template <class T>
void cumsum_cols(const T* x, int64_t n, int64_t cols, int64_t step, T* y);

/// y[i] = g times the product of x[j] over all j != i; no division, so that zeros are right. y apart from x.
template <class T>
void products_of_others(const T* x, int64_t n, T g, T* y);

/// A norm as the largest |x_i| times a ratio of 1 or more, which may be too large for any double where both are not.
struct ScaledNorm {
  double largest;
  double ratio;
};

/// (sum |x_i|^p)^(1 / p), 1 <= p < infinity; 0 for n = 0. The largest |x_i| is NaN or infinite where an element is.
template <class T>
ScaledNorm scaled_norm(const T* x, int64_t n, double p);

/// The same as one number, without overflow on the way.
template <class T>
T norm_of_run(const T* x, int64_t n, double p);

}  // namespace gradus::kernels

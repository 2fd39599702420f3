// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Plain loops along rows, for float and double: each element depends on the one before, so the work cannot be split
// into lanes. cumsum takes i64 too.

namespace gradus::kernels {

/// y[i, c] = x[0, c] + ... + x[i, c], accumulated in double (i64: in i64, wrapping): x and y [n, cols] dense, y may be
/// x. With step -1 the sums run from the last row to the first.
template <class T>
void cumsum_cols(const T* x, int64_t n, int64_t cols, int64_t step, T* y);

/// y[i] = g times the product of x[j] over all j != i. It does not divide, so zeros give the right result. y must not
/// overlap x.
template <class T>
void products_of_others(const T* x, int64_t n, T g, T* y);

/// A norm as two factors: the largest |x_i| and a ratio of at least 1. Their product may be too large for a double.
struct ScaledNorm {
  double largest;
  double ratio;
};

/// (sum |x_i|^p)^(1 / p), 1 <= p < infinity; 0 for n = 0. The largest |x_i| is NaN or infinite where an element is.
template <class T>
ScaledNorm scaled_norm(const T* x, int64_t n, double p);

/// The norm as one number, without overflow in between.
template <class T>
T norm_of_run(const T* x, int64_t n, double p);

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Plain loops along rows, for float and double: each element depends on the one before, so the work cannot be split
// into lanes. cumsum and cumprod take i64 too.

namespace gradus::kernels {

/// A scan down the columns of dense [n, cols].
struct ScanCols {
  int64_t n = 0;
  int64_t cols = 0;
  int64_t step = 1;        ///< 1: from the first row to the last; -1: from the last row to the first
  bool exclusive = false;  ///< row i of the result leaves out row i
};

/// y[i, c] = x[0, c] + ... + x[i, c], accumulated in double (i64: in i64, wrapping). Exclusive: up to x[i - 1, c], and
/// y[0, c] = 0. y may be x.
template <class T>
void cumsum_cols(const T* x, const ScanCols& p, T* y);

/// y[i, c] = x[0, c] * ... * x[i, c], accumulated in double (i64: in i64, wrapping). Exclusive: up to x[i - 1, c], and
/// y[0, c] = 1. y may be x.
template <class T>
void cumprod_cols(const T* x, const ScanCols& p, T* y);

/// s[i, c] = a[i, c] * s[i - 1, c] + b[i, c] and s[0, c] = b[0, c], accumulated in double. The first row of a is not
/// read. s may be a or b. `exclusive` has no meaning here.
template <class T>
void linear_scan_cols(const T* a, const T* b, const ScanCols& p, T* s);

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

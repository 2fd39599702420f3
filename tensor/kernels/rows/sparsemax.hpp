// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Sparsemax and 1.5-entmax of the rows of [rows, n], for float and double, by sorting as many elements as the support
// has. That takes the time, so these are plain loops; sums are formed in double.
//
// keep (bytes, of x's shape, or null): positions with 0 are exactly 0 in y, whatever x holds there; a row without a
// kept one is all 0. A row with NaN or +infinity, or of -infinity alone, is NaN where it is kept, as in softmax.

namespace gradus::kernels {

/// y = max(x - t, 0) with t such that the row sums to 1. An element within a few roundings of t is outside the support:
/// there the derivative jumps, and rounding must not decide on which side a tie falls.
template <class T>
void sparsemax_rows(const T* x, const uint8_t* keep, T* y, int64_t rows, int64_t n);

/// dx = g - (the mean of g over y > 0) where y > 0, else 0.
template <class T>
void sparsemax_backward_rows(const T* y, const T* g, T* dx, int64_t rows, int64_t n);

/// y = max(x / 2 - t, 0)^2 with t such that the row sums to 1.
template <class T>
void entmax15_rows(const T* x, const uint8_t* keep, T* y, int64_t rows, int64_t n);

/// dx = s (g - sum(s g) / sum(s)) where y > 0, else 0, s = sqrt(y).
template <class T>
void entmax15_backward_rows(const T* y, const T* g, T* dx, int64_t rows, int64_t n);

}  // namespace gradus::kernels

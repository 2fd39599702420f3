// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Reductions of float and double. The order of the additions depends only on the sizes and the instruction set.
//
// Error of a sum of n numbers, eps = 2^-24 or 2^-53: at most (140 + n / 500) eps sum |x_i| along a run, and at most
// (130 + n / 128) eps sum |x_i| down a column (accumulators of at most 128 numbers each are added to a total).

namespace gradus::kernels {

/// The sum of x[0..n): 0 for n = 0.
template <class T>
T sum(const T* x, int64_t n);

/// The largest of x[0..n), NaN if any is NaN, -infinity for n = 0.
template <class T>
T max(const T* x, int64_t n);

/// The smallest of x[0..n), NaN if any is NaN, +infinity for n = 0.
template <class T>
T min(const T* x, int64_t n);

/// The sum of x_i^2, accumulated in double; for floats its relative error is at most n 2^-53.
template <class T>
double sum_squares(const T* x, int64_t n);

enum class ReduceFn : uint8_t { sum, max, min, prod };

/// The result of fn for no elements: 0, -infinity, +infinity or 1.
double neutral_of(ReduceFn fn);

/// y[r] = fn over x[r, 0..n): x [rows, n] with `pitch` elements from one row to the next, y [rows].
template <class T>
void reduce_rows(ReduceFn fn, const T* x, int64_t rows, int64_t n, int64_t pitch, T* y);

/// y[c] = fn over x[0..n, c]: x [n, cols] with `pitch` elements from one row to the next, y [cols], which must not
/// overlap x.
template <class T>
void reduce_cols(ReduceFn fn, const T* x, int64_t n, int64_t pitch, int64_t cols, T* y);

/// y[r] = the first index of the largest (smallest) element of row r: x [rows, n], n > 0. A NaN is more extreme than
/// any number.
template <class T>
void argmax_rows(const T* x, int64_t rows, int64_t n, int64_t* y);
template <class T>
void argmin_rows(const T* x, int64_t rows, int64_t n, int64_t* y);
template <>
void argmax_rows<int64_t>(const int64_t* x, int64_t rows, int64_t n, int64_t* y);
template <>
void argmin_rows<int64_t>(const int64_t* x, int64_t rows, int64_t n, int64_t* y);

}  // namespace gradus::kernels

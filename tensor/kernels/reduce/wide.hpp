// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <type_traits>

// Statistics of one row in a wider type, for rows whose sums or squares overflow or underflow float or double. These
// are plain loops, because kernels call them only when their own result shows that it is needed.

namespace gradus::kernels {

/// A type that holds the square of every T, and sums of such squares.
template <class T>
using Wide = std::conditional_t<sizeof(T) == sizeof(float), double, long double>;

/// A sum of squares between these bounds has lost no accuracy. Outside them, squares of T may have become 0 or
/// infinite.
template <class T>
inline constexpr T kLeastSquares = sizeof(T) == sizeof(float) ? T(1e-30) : T(1e-280);
template <class T>
inline constexpr T kMostSquares = sizeof(T) == sizeof(float) ? T(1e30) : T(1e280);

template <class T>
bool squares_in_range(T sum) {
  return sum >= kLeastSquares<T> && sum <= kMostSquares<T>;
}

template <class T>
T wide_mean(const T* x, int64_t n);

/// y = x - mean, for n elements at a distance of `step`.
template <class T>
void wide_center(const T* x, int64_t n, int64_t step, T* y);

/// sum (x - mean)^2 / divisor, or its square root.
template <class T>
T wide_variance(const T* x, int64_t n, double divisor, bool root);

/// One row of layer_norm and of layer_norm_backward, which adds to dweight. `mean` is null for RMS norm.
template <class T>
void wide_norm_row(const T* x, const T* weight, const T* bias, double eps, T* y, T* mean, T* rstd, int64_t n);
template <class T>
void wide_norm_backward_row(const T* x, const T* weight, const T* g, bool centred, double eps, T* dx, T* dweight,
                            int64_t n);

}  // namespace gradus::kernels

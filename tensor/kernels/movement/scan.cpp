// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/movement/scan.hpp>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include <gradus/tensor/kernels/common/instances.hpp>
#include <gradus/tensor/kernels/reduce/reduce.hpp>

namespace gradus::kernels {

template <class T>
void cumsum_cols(const T* x, int64_t n, int64_t cols, int64_t step, T* y) {
  using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;  // unsigned: integers wrap around
  constexpr int64_t kWidth = 64;
  const int64_t first = step > 0 ? 0 : n - 1;
  for (int64_t c = 0; c < cols; c += kWidth) {
    const int64_t width = std::min(kWidth, cols - c);
    Sum sums[kWidth] = {};
    for (int64_t i = 0, row = first; i < n; ++i, row += step) {
      const T* from = x + row * cols + c;
      T* to = y + row * cols + c;
      for (int64_t k = 0; k < width; ++k) to[k] = static_cast<T>(sums[k] += static_cast<Sum>(from[k]));
    }
  }
}

template <class T>
void products_of_others(const T* x, int64_t n, T g, T* y) {
  T product = g;  // g times the product of all elements before i
  for (int64_t i = 0; i < n; ++i) {
    y[i] = product;
    product *= x[i];
  }
  product = T{1};  // the product of all elements after i
  for (int64_t i = n - 1; i >= 0; --i) {
    y[i] *= product;
    product *= x[i];
  }
}

template <class T>
ScaledNorm scaled_norm(const T* x, int64_t n, double p) {
  double largest = 0.0;
  for (int64_t i = 0; i < n; ++i) {
    const double magnitude = std::fabs(static_cast<double>(x[i]));
    if (!(magnitude <= largest)) largest = magnitude;
    if (std::isnan(largest)) return {largest, 1.0};
  }
  if (largest == 0.0 || std::isinf(largest)) return {largest, 1.0};
  double sum = 0.0;
  for (int64_t i = 0; i < n; ++i) {
    const double ratio = std::fabs(static_cast<double>(x[i])) / largest;
    sum += p == 2.0 ? ratio * ratio : std::pow(ratio, p);
  }
  return {largest, p == 2.0 ? std::sqrt(sum) : std::pow(sum, 1.0 / p)};
}

template <class T>
T norm_of_run(const T* x, int64_t n, double p) {
  if (p == 2.0) {
    const double squares = sum_squares(x, n);
    // Outside these bounds, squares of doubles over- or underflow (squares of floats never do); the scaled sum is
    // slower.
    if (squares == 0.0 ? sizeof(T) == sizeof(float) : squares > 1e-280 && squares < 1e300) {
      return static_cast<T>(std::sqrt(squares));
    }
  }
  const ScaledNorm norm = scaled_norm(x, n, p);
  return static_cast<T>(norm.largest * norm.ratio);
}

GRADUS_FLOAT_AND_DOUBLE(cumsum_cols)
GRADUS_FLOAT_AND_DOUBLE(products_of_others)
GRADUS_FLOAT_AND_DOUBLE(scaled_norm)
GRADUS_FLOAT_AND_DOUBLE(norm_of_run)
template void cumsum_cols<int64_t>(const int64_t*, int64_t, int64_t, int64_t, int64_t*);

}  // namespace gradus::kernels

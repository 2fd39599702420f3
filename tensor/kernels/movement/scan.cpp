// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/movement/scan.hpp>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include <gradus/tensor/kernels/common/instances.hpp>
#include <gradus/tensor/kernels/reduce/reduce.hpp>

namespace gradus::kernels {

namespace {

constexpr int64_t kStrip = 64;  // columns that are scanned together

// The type in which a scan accumulates. Unsigned, because integers wrap around.
template <class T>
using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;

// state = combine(state, x), from row to row; y is the state after a row, or the one before it.
template <bool kExclusive, class T, class Combine>
void scan_cols(const T* x, const ScanCols& p, Sum<T> start, const Combine& combine, T* y) {
  const int64_t first = p.step > 0 ? 0 : p.n - 1;
  for (int64_t c = 0; c < p.cols; c += kStrip) {
    const int64_t width = std::min(kStrip, p.cols - c);
    Sum<T> states[kStrip];
    std::fill_n(states, kStrip, start);
    for (int64_t i = 0, row = first; i < p.n; ++i, row += p.step) {
      const T* from = x + row * p.cols + c;
      T* to = y + row * p.cols + c;
      for (int64_t k = 0; k < width; ++k) {
        const Sum<T> before = states[k];
        states[k] = combine(before, static_cast<Sum<T>>(from[k]));
        to[k] = static_cast<T>(kExclusive ? before : states[k]);
      }
    }
  }
}

template <class T, class Combine>
void scan_cols(const T* x, const ScanCols& p, Sum<T> start, const Combine& combine, T* y) {
  if (p.exclusive) return scan_cols<true>(x, p, start, combine, y);
  scan_cols<false>(x, p, start, combine, y);
}

}  // namespace

template <class T>
void cumsum_cols(const T* x, const ScanCols& p, T* y) {
  scan_cols(
      x, p, Sum<T>{0}, [](Sum<T> sum, Sum<T> v) { return sum + v; }, y);
}

template <class T>
void cumprod_cols(const T* x, const ScanCols& p, T* y) {
  scan_cols(
      x, p, Sum<T>{1}, [](Sum<T> product, Sum<T> v) { return product * v; }, y);
}

template <class T>
void linear_scan_cols(const T* a, const T* b, const ScanCols& p, T* s) {
  const int64_t first = p.step > 0 ? 0 : p.n - 1;
  for (int64_t c = 0; c < p.cols; c += kStrip) {
    const int64_t width = std::min(kStrip, p.cols - c);
    double states[kStrip];
    for (int64_t i = 0, row = first; i < p.n; ++i, row += p.step) {
      const int64_t at = row * p.cols + c;
      for (int64_t k = 0; k < width; ++k) {
        const auto added = static_cast<double>(b[at + k]);
        states[k] = i == 0 ? added : static_cast<double>(a[at + k]) * states[k] + added;
        s[at + k] = static_cast<T>(states[k]);
      }
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
GRADUS_FLOAT_AND_DOUBLE(cumprod_cols)
GRADUS_FLOAT_AND_DOUBLE(linear_scan_cols)
GRADUS_FLOAT_AND_DOUBLE(products_of_others)
GRADUS_FLOAT_AND_DOUBLE(scaled_norm)
GRADUS_FLOAT_AND_DOUBLE(norm_of_run)
template void cumsum_cols<int64_t>(const int64_t*, const ScanCols&, int64_t*);
template void cumprod_cols<int64_t>(const int64_t*, const ScanCols&, int64_t*);

}  // namespace gradus::kernels

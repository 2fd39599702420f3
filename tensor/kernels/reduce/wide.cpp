// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/reduce/wide.hpp>

#include <cmath>

#include <gradus/tensor/kernels/common/instances.hpp>

namespace gradus::kernels {
namespace {

template <class T>
Wide<T> mean_of(const T* x, int64_t n, int64_t step = 1) {
  Wide<T> sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<Wide<T>>(x[i * step]);
  return sum / static_cast<Wide<T>>(n);
}

template <class T>
Wide<T> squares_about(const T* x, int64_t n, Wide<T> mean) {
  Wide<T> sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const Wide<T> c = static_cast<Wide<T>>(x[i]) - mean;
    sum += c * c;
  }
  return sum;
}

// The numbers that normalise a row: z = (x - mean) rstd.
template <class T>
struct Statistics {
  Wide<T> mean;
  Wide<T> rstd;
  Wide<T> z(T x) const { return (static_cast<Wide<T>>(x) - mean) * rstd; }
};

template <class T>
Statistics<T> statistics(const T* x, int64_t n, bool centred, double eps) {
  const Wide<T> mean = centred ? mean_of(x, n) : Wide<T>{0};
  const Wide<T> variance = squares_about(x, n, mean) / static_cast<Wide<T>>(n);
  return {mean, Wide<T>{1} / std::sqrt(variance + static_cast<Wide<T>>(eps))};
}

}  // namespace

template <class T>
T wide_mean(const T* x, int64_t n) {
  return static_cast<T>(mean_of(x, n));
}

template <class T>
void wide_center(const T* x, int64_t n, int64_t step, T* y) {
  const Wide<T> mean = mean_of(x, n, step);
  for (int64_t i = 0; i < n * step; i += step) y[i] = static_cast<T>(static_cast<Wide<T>>(x[i]) - mean);
}

template <class T>
T wide_variance(const T* x, int64_t n, double divisor, bool root) {
  bool equal = true;
  for (int64_t i = 1; i < n && equal; ++i) equal = x[i] == x[0];
  if (equal && x[0] - x[0] == 0) return T{0};
  const Wide<T> variance = squares_about(x, n, mean_of(x, n)) / static_cast<Wide<T>>(divisor);
  return static_cast<T>(root ? std::sqrt(variance) : variance);
}

template <class T>
void wide_norm_row(const T* x, const T* weight, const T* bias, double eps, T* y, T* mean, T* rstd, int64_t n) {
  const Statistics<T> s = statistics(x, n, mean != nullptr, eps);
  if (mean != nullptr) *mean = static_cast<T>(s.mean);
  *rstd = static_cast<T>(s.rstd);
  for (int64_t i = 0; i < n; ++i) {
    Wide<T> v = s.z(x[i]);
    if (weight != nullptr) v *= static_cast<Wide<T>>(weight[i]);
    if (bias != nullptr) v += static_cast<Wide<T>>(bias[i]);
    y[i] = static_cast<T>(v);
  }
}

template <class T>
void wide_norm_backward_row(const T* x, const T* weight, const T* g, bool centred, double eps, T* dx, T* dweight,
                            int64_t n) {
  const Statistics<T> s = statistics(x, n, centred, eps);
  const auto h = [&](int64_t i) {
    const auto cotangent = static_cast<Wide<T>>(g[i]);
    return weight != nullptr ? cotangent * static_cast<Wide<T>>(weight[i]) : cotangent;
  };
  Wide<T> sum = 0;
  Wide<T> dot = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (centred) sum += h(i);
    dot += h(i) * s.z(x[i]);
  }
  const auto count = static_cast<Wide<T>>(n);
  for (int64_t i = 0; i < n; ++i) {
    const Wide<T> z = s.z(x[i]);
    dx[i] = static_cast<T>(s.rstd * (h(i) - sum / count - z * dot / count));
    if (dweight != nullptr) dweight[i] += static_cast<T>(static_cast<Wide<T>>(g[i]) * z);
  }
}

GRADUS_FLOAT_AND_DOUBLE(wide_mean)
GRADUS_FLOAT_AND_DOUBLE(wide_center)
GRADUS_FLOAT_AND_DOUBLE(wide_variance)
GRADUS_FLOAT_AND_DOUBLE(wide_norm_row)
GRADUS_FLOAT_AND_DOUBLE(wide_norm_backward_row)

}  // namespace gradus::kernels

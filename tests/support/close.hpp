// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>

#include <gradus/tensor/tensor.hpp>

namespace gradus::tests {

/// The largest abs(a - b) / max(1, abs(a), abs(b)); equal infinities and NaN against NaN count as equal, any other
/// difference of what is not finite as infinite.
inline double largest_error(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) return HUGE_VAL;
  const Tensor left = a.to(DType::f64).contiguous();
  const Tensor right = b.to(DType::f64).contiguous();
  const double* x = left.data<double>();
  const double* y = right.data<double>();
  double worst = 0.0;
  for (int64_t i = 0; i < left.numel(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    const double error = std::abs(x[i] - y[i]) / std::max({1.0, std::abs(x[i]), std::abs(y[i])});
    worst = std::isfinite(error) ? std::max(worst, error) : HUGE_VAL;
  }
  return worst;
}

inline bool all_zero(const Tensor& a) {
  const Tensor values = a.to(DType::f64).contiguous();
  const double* x = values.data<double>();
  return std::all_of(x, x + values.numel(), [](double value) { return value == 0.0; });
}

inline bool all_finite(const Tensor& a) {
  if (!is_floating(a.dtype())) return true;
  const Tensor values = a.to(DType::f64).contiguous();
  const double* x = values.data<double>();
  return std::all_of(x, x + values.numel(), [](double value) { return std::isfinite(value); });
}

}  // namespace gradus::tests

// SPDX-License-Identifier: MIT
#include <gradus/tensor/compare.hpp>

#include <algorithm>
#include <cmath>

namespace gradus {
namespace {

template <class Predicate>
bool all_elements(const Tensor& a, const Predicate& holds) {
  const Tensor values = a.to(DType::f64).contiguous();
  const double* x = values.data<double>();
  return std::all_of(x, x + values.numel(), holds);
}

}  // namespace

double largest_error(const Tensor& a, const Tensor& b) {
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

bool all_zero(const Tensor& a) {
  return all_elements(a, [](double value) { return value == 0.0; });
}

bool all_finite(const Tensor& a) {
  if (!is_floating(a.dtype())) return true;
  return all_elements(a, [](double value) { return std::isfinite(value); });
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <gradus/optim/optimizer.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/tensor/kernels/movement/scan.hpp>
#include <gradus/tensor/kernels/reduce/reduce.hpp>

namespace gradus {
namespace {

double sum_squares(const Tensor& x) {
  const Tensor dense = x.contiguous();
  return dispatch_float(dense.dtype(), [&]<class T>() { return kernels::sum_squares(dense.data<T>(), dense.numel()); });
}

kernels::ScaledNorm scaled_norm(const Tensor& x) {
  const Tensor dense = x.contiguous();
  return dispatch_float(dense.dtype(),
                        [&]<class T>() { return kernels::scaled_norm(dense.data<T>(), dense.numel(), 2.0); });
}

// The 2-norm of all gradients together. Throws and names the parameter when a gradient is not finite.
kernels::ScaledNorm total_norm(const std::vector<NamedParameter>& parameters) {
  double squares = 0.0;
  bool ordinary = true;
  for (const NamedParameter& named : parameters) {
    if (!named.parameter->grad().defined()) continue;
    const Tensor& gradient = named.parameter->grad();
    const double own = sum_squares(gradient);
    // The square of a float is never too small for a double.
    const bool is_zero = own == 0.0 && gradient.dtype() == DType::f32;
    ordinary = ordinary && (is_zero || (own > 1e-280 && own < 1e280));
    squares += own;
  }
  if (ordinary) return {1.0, std::sqrt(squares)};
  // Squares overflow or underflow, or a value is zero, infinite or NaN: scales each gradient by its largest element.
  std::vector<kernels::ScaledNorm> norms;
  double largest = 0.0;
  for (const NamedParameter& named : parameters) {
    if (!named.parameter->grad().defined()) continue;
    norms.push_back(scaled_norm(named.parameter->grad()));
    GRADUS_CHECK(std::isfinite(norms.back().largest), "[clip_grad_norm_] the gradient of ", named.name,
                 " is not finite: its norm is ", norms.back().largest);
    largest = std::max(largest, norms.back().largest);
  }
  if (largest == 0.0) return {0.0, 1.0};
  double sum = 0.0;
  for (const kernels::ScaledNorm& norm : norms) {
    const double share = norm.largest / largest * norm.ratio;
    sum += share * share;
  }
  return {largest, std::sqrt(sum)};
}

// Scales in place when nothing else shares the bytes. Scales in two steps when the factor is too small for the dtype.
void scale_gradient(Parameter& parameter, double scale) {
  const bool own = parameter.grad().is_unique() && !parameter.grad().layout().is_expanded();
  Tensor gradient = own ? parameter.grad() : parameter.grad().clone();
  const double step = gradient.dtype() == DType::f32 ? 0x1p-60 : 0x1p-500;
  if (scale < step) {
    gradient.scale_(step);
    scale /= step;
  }
  gradient.scale_(scale);
  if (!own) parameter.set_grad_(gradient);
}

}  // namespace

double clip_grad_norm_(const std::vector<NamedParameter>& parameters, double max_norm) {
  GRADUS_CHECK(max_norm > 0.0, "[clip_grad_norm_] expected max_norm > 0, got ", max_norm);
  const kernels::ScaledNorm total = total_norm(parameters);
  const double norm = total.largest * total.ratio;
  if (norm <= max_norm) return norm;
  const double scale = max_norm / total.largest / total.ratio;  // finite even when the norm is too large for a double
  for (const NamedParameter& named : parameters) {
    if (named.parameter->grad().defined()) scale_gradient(*named.parameter, scale);
  }
  return norm;
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <gradus/optim/optimizer.hpp>

#include <algorithm>
#include <cmath>
#include <set>

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

// The parameters that have a gradient, each once, in their order.
std::vector<const NamedParameter*> with_gradients(const std::vector<NamedParameter>& parameters) {
  std::vector<const NamedParameter*> list;
  list.reserve(parameters.size());
  for (const NamedParameter& named : parameters) {
    if (named.parameter->grad().defined()) list.push_back(&named);
  }
  std::vector<const Parameter*> seen;
  seen.reserve(list.size());
  for (const NamedParameter* named : list) seen.push_back(named->parameter);
  std::sort(seen.begin(), seen.end());
  if (std::adjacent_find(seen.begin(), seen.end()) == seen.end()) return list;
  std::vector<const NamedParameter*> once;
  std::set<const Parameter*> taken;
  for (const NamedParameter* named : list) {
    if (taken.insert(named->parameter).second) once.push_back(named);
  }
  return once;
}

// The 2-norm of all gradients together. Throws and names the parameter when a gradient is not finite.
kernels::ScaledNorm total_norm(const std::vector<const NamedParameter*>& parameters) {
  double squares = 0.0;
  bool ordinary = true;
  for (const NamedParameter* named : parameters) {
    const Tensor& gradient = named->parameter->grad();
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
  for (const NamedParameter* named : parameters) {
    norms.push_back(scaled_norm(named->parameter->grad()));
    GRADUS_CHECK(std::isfinite(norms.back().largest), "[clip_grad_norm_] the gradient of ", named->name,
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

// Gives the gradient to `change`, or a copy of it when something else shares its bytes.
template <class Change>
void change_gradient(Parameter& parameter, const Change& change) {
  const bool own = parameter.grad().is_unique() && !parameter.grad().layout().is_expanded();
  Tensor gradient = own ? parameter.grad() : parameter.grad().clone();
  change(gradient);
  if (!own) parameter.set_grad_(gradient);
}

// Scales in two steps when the factor is too small for the dtype.
void scale_in_steps(Tensor& gradient, double scale) {
  const double step = gradient.dtype() == DType::f32 ? 0x1p-60 : 0x1p-500;
  if (scale < step) {
    gradient.scale_(step);
    scale /= step;
  }
  gradient.scale_(scale);
}

template <class T>
bool has_nan(const T* x, int64_t n) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) count += x[i] != x[i] ? 1 : 0;
  return count != 0;
}

template <class T>
bool exceeds(const T* x, int64_t n, T bound) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) count += x[i] > bound || x[i] < -bound ? 1 : 0;
  return count != 0;
}

}  // namespace

double clip_grad_norm_(const std::vector<NamedParameter>& parameters, double max_norm) {
  GRADUS_CHECK(max_norm > 0.0, "[clip_grad_norm_] expected max_norm > 0, got ", max_norm);
  const std::vector<const NamedParameter*> list = with_gradients(parameters);
  const kernels::ScaledNorm total = total_norm(list);
  const double norm = total.largest * total.ratio;
  if (norm <= max_norm) return norm;
  const double scale = max_norm / total.largest / total.ratio;  // finite even when the norm is too large for a double
  for (const NamedParameter* named : list) {
    change_gradient(*named->parameter, [&](Tensor& gradient) { scale_in_steps(gradient, scale); });
  }
  return norm;
}

void clip_grad_value_(const std::vector<NamedParameter>& parameters, double max_value) {
  GRADUS_CHECK(max_value > 0.0, "[clip_grad_value_] expected max_value > 0, got ", max_value);
  const std::vector<const NamedParameter*> list = with_gradients(parameters);
  std::vector<bool> clipped;
  for (const NamedParameter* named : list) {
    const Tensor dense = named->parameter->grad().contiguous();
    dispatch_float(dense.dtype(), [&]<class T>() {
      GRADUS_CHECK(!has_nan(dense.data<T>(), dense.numel()), "[clip_grad_value_] the gradient of ", named->name,
                   " has a NaN");
      clipped.push_back(exceeds(dense.data<T>(), dense.numel(), static_cast<T>(max_value)));
    });
  }
  for (size_t i = 0; i < list.size(); ++i) {
    if (!clipped[i]) continue;
    change_gradient(*list[i]->parameter, [&](Tensor& gradient) {
      Tensor dense = gradient.contiguous();
      dispatch_float(dense.dtype(), [&]<class T>() {
        T* x = dense.mutable_data_<T>();
        const T bound = static_cast<T>(max_value);
        for (int64_t k = 0; k < dense.numel(); ++k) x[k] = std::clamp(x[k], -bound, bound);
      });
      if (!gradient.is_contiguous()) gradient.copy_(dense);
    });
  }
}

}  // namespace gradus

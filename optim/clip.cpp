// SPDX-License-Identifier: MIT
#include <gradus/optim/clip.hpp>

#include <cmath>

#include <gradus/tensor/kernels/reduce.hpp>

namespace gradus {
namespace {

double sum_squares(const Tensor& x) {
  const Tensor dense = x.contiguous();
  return dispatch_float(dense.dtype(), [&](auto tag) {
    return kernels::sum_squares(dense.data<typename decltype(tag)::type>(), dense.numel());
  });
}

// In place where nobody else holds the bytes.
void scale_gradient(Parameter& parameter, double scale) {
  const bool own = parameter.grad().is_unique() && !parameter.grad().layout().is_expanded();
  Tensor gradient = own ? parameter.grad() : parameter.grad().clone();
  gradient.scale_(scale);
  if (!own) parameter.set_grad_(gradient);
}

}  // namespace

double clip_grad_norm(const std::vector<NamedParameter>& parameters, double max_norm) {
  GRADUS_CHECK(max_norm > 0.0, "[clip_grad_norm] expected max_norm > 0, got ", max_norm);
  double squares = 0.0;
  for (const NamedParameter& named : parameters) {
    if (!named.parameter->grad().defined()) continue;
    const double own = sum_squares(named.parameter->grad());
    GRADUS_CHECK(std::isfinite(own), "[clip_grad_norm] the gradient of ", named.name, " is not finite: its norm is ",
                 std::sqrt(own));
    squares += own;
  }
  const double norm = std::sqrt(squares);
  if (norm <= max_norm) return norm;
  for (const NamedParameter& named : parameters) {
    if (named.parameter->grad().defined()) scale_gradient(*named.parameter, max_norm / norm);
  }
  return norm;
}

}  // namespace gradus

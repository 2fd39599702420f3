// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/transforms.hpp>

#include "tests/support/catch.hpp"

// Values and derivatives of scalar functions of one vector, computed with 600 digits. The inputs are the nearest
// numbers of the dtype to the written ones.

namespace gradus::tests {

inline constexpr double kInf = __builtin_huge_val();

struct KnownDerivatives {
  std::string function;
  DType dtype;
  std::vector<double> x;
  std::vector<double> direction;
  double value;
  /// The gradient, its derivative along the direction, and the derivative of that one again, as far as the dtype can
  /// represent them.
  std::vector<std::vector<double>> orders;
};

using VectorFunction = std::function<Variable(const Variable&)>;

inline Tensor vector_of(const std::vector<double>& values, DType dtype) {
  return Tensor::from(std::span<const double>(values), {static_cast<int64_t>(values.size())}).to(dtype);
}

/// Below this the dtype has no relative accuracy.
inline double least_normal(DType dtype) { return dtype == DType::f32 ? 0x1p-126 : 0x1p-1022; }

/// The largest error of an element, in units of the largest element wanted, or of `unit` when that is larger. Infinite
/// when one of the two is not finite and the other differs.
inline double relative_error(const Tensor& got, const std::vector<double>& want, double unit) {
  double largest = std::max(unit, least_normal(got.dtype()));
  for (double w : want) largest = std::max(largest, std::isfinite(w) ? std::abs(w) : 0.0);
  double worst = 0.0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double value = got.to(DType::f64).reshape({got.numel()}).at({static_cast<int64_t>(i)});
    if (value == want[i]) continue;
    const double error = std::abs(value / largest - want[i] / largest);
    worst = std::isfinite(error) ? std::max(worst, error) : kInf;
  }
  return worst;
}

/// The largest error of f at known.x against all known derivatives, by grad of grad, and by jvp and hvp. `unit` is the
/// size of the terms of the derivatives before they cancel.
inline double check_known(const KnownDerivatives& known, const VectorFunction& f, double unit = 0.0) {
  constexpr double kSuspicious = 1e-5;  // larger errors are shown one by one; the bound of the caller is tighter
  const Variable x = leaf(vector_of(known.x, known.dtype));
  const Variable direction = vector_of(known.direction, known.dtype);
  double worst = 0.0;
  const auto take = [&](const char* what, const Tensor& got, const std::vector<double>& want, double least) {
    const double error = relative_error(got, want, least);
    worst = std::max(worst, error);
    INFO(known.function << " of " << to_string(x.value()) << " along " << to_string(direction.value()));
    INFO(what << ": got " << to_string(got));
    CHECK(error < kSuspicious);
  };
  const Variable y = f(x);
  take("value", y.value(), {known.value}, unit);
  Variable along = y;
  for (const std::vector<double>& expected : known.orders) {
    // When nothing depends on x any more, the derivative is 0.
    Variable derivative = zeros(x.shape(), {.dtype = known.dtype});
    if (along.requires_grad()) {
      const Variable found = grad({along}, {x}, {.create_graph = true, .allow_unused = true})[0];
      if (found.defined()) derivative = found;
    }
    take("derivative", derivative.value(), expected, unit);
    along = sum(mul(derivative, direction));
  }
  const auto of_vector = [&](const std::vector<Variable>& in) { return std::vector<Variable>{f(in[0])}; };
  const std::vector<Variable> at{Variable(vector_of(known.x, known.dtype))};
  double slope = 0.0;
  double size = unit;  // the size of the terms of the slope, which may cancel
  for (size_t i = 0; i < known.x.size(); ++i) {
    slope += known.orders[0][i] * known.direction[i];
    size = std::max(size, std::max(unit, std::abs(known.orders[0][i])) * std::abs(known.direction[i]));
  }
  take("jvp", jvp(of_vector, at, {direction}).tangents[0].value(), {slope}, size);
  if (known.orders.size() > 1) take("hvp", hvp(of_vector, at, {direction})[0].value(), known.orders[1], unit);
  return worst;
}

}  // namespace gradus::tests

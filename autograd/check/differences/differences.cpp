// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/differences/differences.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/autograd/engine/context.hpp>

namespace gradus::detail {

Tensor CheckNumbers::tensor(const Shape& shape, DType dtype) {
  Tensor result = Tensor::empty(shape, DType::f64);
  double* values = result.mutable_data_<double>();
  for (int64_t i = 0; i < result.numel(); ++i) values[i] = draw();
  return result.to(dtype);
}

std::vector<Variable> floating_outputs(const FunctionRef& f, const std::vector<Variable>& inputs, DType dtype) {
  std::vector<Variable> outputs = f(inputs);
  const auto discrete = [](const Variable& v) { return !v.defined() || !is_floating(v.dtype()); };
  outputs.erase(std::remove_if(outputs.begin(), outputs.end(), discrete), outputs.end());
  for (const Variable& output : outputs) {
    GRADUS_CHECK(output.dtype() == dtype, "[gradcheck] the function gave ", describe(output), " for ", dtype,
                 " inputs: derivatives are checked in one dtype only");
  }
  return outputs;
}

std::vector<Tensor> evaluate(const FunctionRef& f, const std::vector<Tensor>& values, DType dtype) {
  const NoGrad off;
  const std::vector<Variable> inputs(values.begin(), values.end());
  std::vector<Tensor> outputs;
  for (const Variable& output : floating_outputs(f, inputs, dtype)) outputs.push_back(output.value());
  return outputs;
}

std::vector<double> elements(const Tensor& tensor) {
  const Tensor dense = tensor.to(DType::f64).contiguous();
  const double* values = dense.data<double>();
  return std::vector<double>(values, values + dense.numel());
}

double largest_magnitude(const std::vector<double>& values) {
  double largest = 0.0;
  for (const double x : values) largest = std::isfinite(x) ? std::max(largest, std::abs(x)) : largest;
  return largest;
}

std::string index_text(const Shape& shape, int64_t position) {
  std::string text;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    text = std::to_string(position % shape[axis]) + (text.empty() ? "" : ", ") + text;
    position /= shape[axis];
  }
  return "[" + text + "]";
}

double derivative_error(double a, double b, double floor) {
  if (a == b && std::isfinite(a)) return 0.0;
  const double error = std::abs(a - b) / std::max({floor, std::abs(a), std::abs(b)});
  return std::isfinite(error) ? error : HUGE_VAL;  // a NaN would otherwise count as no error
}

bool Slopes::finite() const { return std::isfinite(numeric) && std::isfinite(left) && std::isfinite(right); }
double Slopes::gap() const { return std::abs(right - left); }

Differences::Differences(const FunctionRef& f, const std::vector<Tensor>& values, const std::vector<Tensor>& outputs,
                         Stencil stencil, DType dtype)
    : f_(f), values_(values), stencil_(stencil), dtype_(dtype) {
  for (const Tensor& value : values) points_.push_back(elements(value));
  for (const Tensor& output : outputs) {
    shapes_.push_back(output.shape());
    base_.push_back(elements(output));
  }
}

void Differences::set_cotangents(const std::vector<Tensor>& cotangents) {
  weights_.clear();
  rounding_inside_ = -1.0;
  for (const Tensor& cotangent : cotangents) {
    weights_.push_back(cotangent.defined() ? elements(cotangent) : std::vector<double>());
  }
}

std::vector<std::vector<double>> Differences::outputs_at(const Direction& direction, double steps) const {
  std::vector<Tensor> moved = values_;
  std::vector<bool> own(values_.size(), false);
  for (const Move& move : direction.moves) {
    if (!own[move.input]) moved[move.input] = values_[move.input].clone();
    own[move.input] = true;
    const double to = points_[move.input][move.element] + steps * move.amount;
    if (dtype_ == DType::f64) {
      moved[move.input].mutable_data_<double>()[move.element] = to;
    } else {
      moved[move.input].mutable_data_<float>()[move.element] = static_cast<float>(to);
    }
  }
  const std::vector<Tensor> outputs = evaluate(f_, moved, dtype_);
  GRADUS_CHECK(outputs.size() == base_.size(),
               "[gradcheck] the function gave another number of outputs near the point than at it");
  std::vector<std::vector<double>> moved_to(outputs.size());
  for (size_t k = 0; k < outputs.size(); ++k) {
    GRADUS_CHECK(outputs[k].shape() == shapes_[k], "[gradcheck] output ", k,
                 " has another shape near the point than at it");
    if (!weights_[k].empty()) moved_to[k] = elements(outputs[k]);
  }
  return moved_to;
}

// sum_k <weights_k, f_k(x + steps * direction) - f_k(x)>. Subtracts element by element, so that outputs that do not
// move cancel exactly.
Differences::Change Differences::change(const Direction& direction, double steps) const {
  const std::vector<std::vector<double>> now = outputs_at(direction, steps);
  Change result;
  for (size_t k = 0; k < now.size(); ++k) {
    for (size_t i = 0; i < now[k].size(); ++i) {
      const long double moved_by = static_cast<long double>(now[k][i]) - static_cast<long double>(base_[k][i]);
      const double size = std::abs(weights_[k][i]) * std::max(std::abs(base_[k][i]), std::abs(now[k][i]));
      (moved_by == 0.0L ? result.still : result.magnitude) += size;
      if (moved_by == 0.0L) continue;
      const long double weighted = static_cast<long double>(weights_[k][i]) * moved_by;
      result.sum += weighted;
      result.moved += static_cast<double>(std::abs(weighted));
    }
  }
  return result;
}

Differences::Range Differences::range_along(const Direction& direction, double step) const {
  const bool six = stencil_ == Stencil::six_point;
  const std::vector<double> factors = six ? std::vector<double>{3.0, -1.5, 1.0 / 3.0} : std::vector<double>{1.0};
  std::vector<std::vector<std::vector<double>>> right;
  std::vector<std::vector<std::vector<double>>> left;
  for (size_t n = 0; n < factors.size(); ++n) {
    right.push_back(outputs_at(direction, step * static_cast<double>(n + 1)));
    left.push_back(outputs_at(direction, -step * static_cast<double>(n + 1)));
  }
  Range range;
  for (size_t k = 0; k < base_.size(); ++k) {
    for (size_t i = 0; i < right[0][k].size(); ++i) {
      double to_right = 0.0;
      double to_left = 0.0;
      for (size_t n = 0; n < factors.size(); ++n) {
        to_right += factors[n] * (right[n][k][i] - base_[k][i]);
        to_left -= factors[n] * (left[n][k][i] - base_[k][i]);
      }
      const double weight = weights_[k][i] / (step * direction.unit);
      range.low += std::min(weight * to_right, weight * to_left);
      range.high += std::max(weight * to_right, weight * to_left);
    }
  }
  return range;
}

double Differences::hidden_along(const Direction& direction, double step) const {
  const std::vector<std::vector<double>> near[] = {outputs_at(direction, step), outputs_at(direction, -step)};
  std::vector<std::vector<std::vector<double>>> far;
  for (const double longer : {8.0, 64.0, 512.0, 4096.0}) {
    far.push_back(outputs_at(direction, longer * step));
    far.push_back(outputs_at(direction, -longer * step));
  }
  double hidden = 0.0;
  for (size_t k = 0; k < base_.size(); ++k) {
    for (size_t i = 0; i < near[0][k].size(); ++i) {
      const double here = base_[k][i];
      if (near[0][k][i] != here || near[1][k][i] != here) continue;
      const bool moves = std::any_of(far.begin(), far.end(), [&](const auto& at) { return at[k][i] != here; });
      if (moves) hidden += std::abs(weights_[k][i] * here);
    }
  }
  const double eps = dtype_ == DType::f64 ? 0x1p-53 : 0x1p-24;
  return 10.0 * eps * hidden / std::abs(step * direction.unit);
}

// What the function does by itself has opposite signs for opposite changes of the inputs, so sums of the two show only
// rounding.
double Differences::rounding_inside() const {
  if (rounding_inside_ >= 0.0) return rounding_inside_;
  rounding_inside_ = 0.0;
  const double eps = dtype_ == DType::f64 ? 0x1p-53 : 0x1p-24;
  for (const double units : {10.0, 12.0, 14.0, 18.0, 22.0, 26.0}) {
    long double sum = 0.0L;
    for (const double sign : {1.0, -1.0}) {
      std::vector<Tensor> near;
      for (const Tensor& value : values_) near.push_back(value.clone());
      for (Tensor& value : near) value.scale_(1.0 + sign * units * eps);
      const std::vector<Tensor> outputs = evaluate(f_, near, dtype_);
      for (size_t k = 0; k < base_.size(); ++k) {
        const std::vector<double> now = weights_[k].empty() ? std::vector<double>() : elements(outputs[k]);
        for (size_t i = 0; i < now.size(); ++i) {
          const long double moved_by = static_cast<long double>(now[i]) - static_cast<long double>(base_[k][i]);
          sum += static_cast<long double>(weights_[k][i]) * moved_by;
        }
      }
    }
    const auto apart = static_cast<double>(std::abs(sum));
    if (std::isfinite(apart)) rounding_inside_ = std::max(rounding_inside_, apart);
  }
  return rounding_inside_;
}

// The largest part of a step that is lost when a moved input is rounded.
double Differences::input_noise(const Direction& direction, double step) const {
  double largest = 0.0;
  for (const Move& move : direction.moves) {
    const double x = points_[move.input][move.element];
    const double by = step * move.amount;
    const double to = dtype_ == DType::f64 ? x + by : static_cast<double>(static_cast<float>(x + by));
    if (by != 0.0) largest = std::max(largest, std::abs((to - x - by) / by));
  }
  return largest;
}

Slopes Differences::along(const Direction& direction, double step) const {
  const long double h = static_cast<long double>(step) * static_cast<long double>(direction.unit);
  Change largest;
  const auto at = [&](double steps) {
    const Change now = change(direction, steps * step);
    largest.magnitude = std::max(largest.magnitude, now.magnitude);
    largest.still = std::max(largest.still, now.still);
    largest.moved = std::max(largest.moved, now.moved);
    return now.sum;
  };
  const auto rounded = [](long double value) { return static_cast<double>(value); };
  const double eps = dtype_ == DType::f64 ? 0x1p-53 : 0x1p-24;
  const auto finished = [&](Slopes slopes, double units) {
    const double by_step = std::abs(rounded(h));
    slopes.noise = (units * eps * largest.magnitude + input_noise(direction, step) * largest.moved) / by_step;
    slopes.hidden_noise = slopes.noise + units * eps * largest.still / by_step;
    slopes.natural = largest.magnitude / std::abs(direction.unit);
    return slopes;
  };
  const long double r1 = at(1);
  const long double l1 = at(-1);
  if (stencil_ == Stencil::central) {
    return finished({.numeric = rounded((r1 - l1) / (2.0L * h)),
                     .lower_order = HUGE_VAL,
                     .left = rounded(-l1 / h),
                     .right = rounded(r1 / h)},
                    2.0);
  }
  const long double r2 = at(2);
  const long double l2 = at(-2);
  const long double r3 = at(3);
  const long double l3 = at(-3);
  const long double sixth = (r3 + l3) - 6.0L * (r2 + l2) + 15.0L * (r1 + l1);
  return finished({.numeric = rounded((45.0L * (r1 - l1) - 9.0L * (r2 - l2) + (r3 - l3)) / (60.0L * h)),
                   .lower_order = rounded((8.0L * (r1 - l1) - (r2 - l2)) / (12.0L * h)),
                   .left = rounded(-(18.0L * l1 - 9.0L * l2 + 2.0L * l3) / (6.0L * h)),
                   .right = rounded((18.0L * r1 - 9.0L * r2 + 2.0L * r3) / (6.0L * h)),
                   .scatter = rounded(std::abs(sixth / (10.0L * h)))},
                  10.0);
}

}  // namespace gradus::detail

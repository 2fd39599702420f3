// SPDX-License-Identifier: MIT
#include <gradus/autograd/gradcheck_numeric.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/autograd/context.hpp>

namespace gradus::detail {

Tensor CheckNumbers::tensor(const Shape& shape) {
  Tensor result = Tensor::empty(shape, DType::f64);
  double* values = result.mutable_data_<double>();
  for (int64_t i = 0; i < result.numel(); ++i) values[i] = draw();
  return result;
}

std::vector<Variable> floating_outputs(const FunctionRef& f, const std::vector<Variable>& inputs) {
  std::vector<Variable> outputs = f(inputs);
  const auto discrete = [](const Variable& v) { return !v.defined() || !is_floating(v.dtype()); };
  outputs.erase(std::remove_if(outputs.begin(), outputs.end(), discrete), outputs.end());
  for (const Variable& output : outputs) {
    GRADUS_CHECK(output.dtype() == DType::f64, "[gradcheck] the function gave ", describe(output),
                 " for f64 inputs: derivatives are checked in f64 only");
  }
  return outputs;
}

std::vector<Tensor> evaluate(const FunctionRef& f, const std::vector<Tensor>& values) {
  const NoGrad off;
  const std::vector<Variable> inputs(values.begin(), values.end());
  std::vector<Tensor> outputs;
  for (const Variable& output : floating_outputs(f, inputs)) outputs.push_back(output.value());
  return outputs;
}

std::vector<double> elements(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  const double* values = dense.data<double>();
  return std::vector<double>(values, values + dense.numel());
}

namespace {

// sum_k <cotangents[k], plus[k] - minus[k]>: element by element, because outputs that do not move must cancel exactly.
long double change(const std::vector<Tensor>& plus, const std::vector<Tensor>& minus,
                   const std::vector<Tensor>& cotangents) {
  GRADUS_CHECK(plus.size() == cotangents.size() && minus.size() == cotangents.size(),
               "[gradcheck] the function gave another number of outputs near the point than at it");
  long double sum = 0.0L;
  for (size_t k = 0; k < cotangents.size(); ++k) {
    GRADUS_CHECK(plus[k].shape() == cotangents[k].shape() && minus[k].shape() == cotangents[k].shape(),
                 "[gradcheck] output ", k, " has another shape near the point than at it");
    const std::vector<double> a = elements(plus[k]);
    const std::vector<double> b = elements(minus[k]);
    const std::vector<double> weight = elements(cotangents[k]);
    for (size_t i = 0; i < a.size(); ++i) {
      sum += static_cast<long double>(weight[i]) * (static_cast<long double>(a[i]) - static_cast<long double>(b[i]));
    }
  }
  return sum;
}

}  // namespace

double directional_difference(const FunctionRef& f, const std::vector<Tensor>& values, size_t input,
                              const std::vector<double>& direction, const std::vector<Tensor>& cotangents,
                              const Differences& differences) {
  const double h = differences.step;
  const auto at = [&](double steps) {
    std::vector<Tensor> moved = values;
    moved[input] = values[input].clone();
    double* x = moved[input].mutable_data_<double>();
    for (size_t i = 0; i < direction.size(); ++i) {
      if (direction[i] != 0.0) x[i] += steps * h * direction[i];
    }
    return evaluate(f, moved);
  };
  const auto pair = [&](double steps) { return change(at(steps), at(-steps), cotangents); };
  if (differences.stencil == Stencil::central) return static_cast<double>(pair(1) / (2.0L * h));
  return static_cast<double>((45.0L * pair(1) - 9.0L * pair(2) + pair(3)) / (60.0L * h));
}

std::string index_text(const Shape& shape, int64_t position) {
  std::string text;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    text = std::to_string(position % shape[axis]) + (text.empty() ? "" : ", ") + text;
    position /= shape[axis];
  }
  return "[" + text + "]";
}

double derivative_error(double analytic, double numeric) {
  const double error = std::abs(analytic - numeric) / std::max({1.0, std::abs(analytic), std::abs(numeric)});
  return std::isfinite(error) ? error : HUGE_VAL;  // NaN would compare as no error
}

}  // namespace gradus::detail

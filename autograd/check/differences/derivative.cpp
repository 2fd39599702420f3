// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/differences/derivative.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>

namespace gradus::detail {
namespace {

constexpr int kRoundingSamples = 12;  // several samples, because a single rounding error is often exactly 0

}  // namespace

std::vector<Variable> DerivativeOf::operator()(const std::vector<Variable>& all) const {
  const bool recorded = context().grad_enabled;
  const EnableGrad on;
  std::vector<Variable> inputs(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(num_inputs));
  for (Variable& input : inputs) {
    if (!recorded || !input.requires_grad()) input = leaf(input.value());
  }
  const std::vector<Variable> outputs = floating_outputs(inner, inputs, dtype);
  std::vector<Variable> reached;
  std::vector<Variable> cotangents;
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (!outputs[k].requires_grad()) continue;
    reached.push_back(outputs[k]);
    cotangents.push_back(all[num_inputs + k]);
  }
  std::vector<Variable> gradients =
      grad(reached, inputs, {.create_graph = recorded, .allow_unused = true, .cotangents = cotangents});
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = zeros(inputs[i].shape(), {.dtype = dtype});
  }
  return gradients;
}

std::vector<Tensor> gradients_at(const FunctionRef& f, const std::vector<Tensor>& values,
                                 const std::vector<Tensor>& cotangents, DType dtype) {
  const EnableGrad on;
  std::vector<Variable> leaves;
  leaves.reserve(values.size());
  for (const Tensor& value : values) leaves.push_back(leaf(value));
  const std::vector<Variable> outputs = floating_outputs(f, leaves, dtype);
  std::vector<Variable> reached;
  std::vector<Variable> weights;
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (!outputs[k].requires_grad() || !cotangents[k].defined()) continue;
    reached.push_back(outputs[k]);
    weights.push_back(cotangents[k]);
  }
  std::vector<Tensor> gradients;
  for (const Variable& g : grad(reached, leaves, {.allow_unused = true, .cotangents = weights})) {
    gradients.push_back(g.defined() ? g.value() : Tensor());
  }
  return gradients;
}

const std::vector<double>& GradientRounding::of(size_t input) {
  if (rounding_.empty()) compute();
  return rounding_[input];
}

double GradientRounding::largest(size_t input) {
  const std::vector<double>& all = of(input);
  return all.empty() ? 0.0 : *std::max_element(all.begin(), all.end());
}

void GradientRounding::compute() {
  for (const Tensor& value : values_) rounding_.emplace_back(static_cast<size_t>(value.numel()), 0.0);
  const double unit = dtype_ == DType::f64 ? 0x1p-52 : 0x1p-23;
  CheckNumbers numbers(1);
  for (int sample = 0; sample < kRoundingSamples; ++sample) {
    const double units = sample % 2 == 0 ? 6.0 + sample : -5.0 - sample;
    // All inputs get the same factor, so that equal elements stay equal.
    std::vector<Tensor> values;
    for (const Tensor& value : values_) {
      values.push_back(value.clone());
      values.back().scale_(1.0 + units * unit);
    }
    std::vector<Tensor> cotangents;
    for (const Tensor& cotangent : cotangents_) {
      cotangents.push_back(cotangent.clone());
      const Tensor factor = numbers.tensor(cotangent.shape(), DType::f64);
      cotangents.back().add_(mul(cotangent, factor.to(dtype_)).value(), (dtype_ == DType::f64 ? 0x1p12 : 0x1p4) * unit);
    }
    const std::vector<Tensor> near = gradients_at(f_, values, cotangents, dtype_);
    for (size_t i = 0; i < near.size(); ++i) {
      if (!near[i].defined() || !gradients_[i].defined()) continue;
      const std::vector<double> here = elements(gradients_[i]);
      const std::vector<double> there = elements(near[i]);
      for (size_t j = 0; j < here.size(); ++j) {
        rounding_[i][j] = std::max(rounding_[i][j], std::abs(there[j] - here[j]));
      }
    }
  }
}

std::vector<NamedInput> with_cotangents(const std::vector<NamedInput>& inputs, const std::vector<Tensor>& cotangents,
                                        int order) {
  std::vector<NamedInput> next = inputs;
  for (size_t k = 0; k < cotangents.size(); ++k) {
    next.push_back({(order == 1 ? "cotangent " : "cotangent' ") + std::to_string(k), cotangents[k]});
  }
  return next;
}

}  // namespace gradus::detail

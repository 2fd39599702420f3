// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/derivative.hpp>

#include <gradus/autograd/context.hpp>
#include <gradus/autograd/grad.hpp>

namespace gradus::detail {

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

std::vector<NamedInput> with_cotangents(const std::vector<NamedInput>& inputs, const std::vector<Tensor>& cotangents,
                                        int order) {
  std::vector<NamedInput> next = inputs;
  for (size_t k = 0; k < cotangents.size(); ++k) {
    next.push_back({(order == 1 ? "cotangent " : "cotangent' ") + std::to_string(k), cotangents[k]});
  }
  return next;
}

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/battery/op_case.hpp>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/op.hpp>

namespace gradus::detail {
namespace {

std::vector<const Variable*> pointers_to(const Variables& variables) {
  std::vector<const Variable*> pointers;
  for (const Variable& variable : variables) pointers.push_back(&variable);
  return pointers;
}

void fill_with_zeros(Variables& gradients, const Variables& like) {
  for (size_t i = 0; i < like.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = zeros(like[i].shape(), {.dtype = like[i].dtype()});
  }
}

// Weights are not all 1, so that an error of sign or position shows.
constexpr double kLowestWeight = 0.5;
constexpr double kHighestWeight = 1.5;

Tensor drawn_weight(RandomTensors& random, const Variable& of) {
  return random.floating(of.shape(), of.dtype(), {.low = kLowestWeight, .high = kHighestWeight});
}

}  // namespace

Tensors values_of(const Variables& variables) {
  Tensors values;
  for (const Variable& variable : variables) values.push_back(variable.value());
  return values;
}

Tensors OpCase::inputs(DType dtype) const { return RandomTensors::inputs(example, dtype, seed); }

bool OpCase::differentiable(size_t i) const {
  const InputSpec& spec = example.inputs[i];
  return has_vjp() && !spec.absent && is_floating(spec.dtype) && spec.constant == nullptr;
}

std::vector<size_t> OpCase::differentiable_inputs() const {
  std::vector<size_t> positions;
  for (size_t i = 0; i < example.inputs.size(); ++i) {
    if (differentiable(i)) positions.push_back(i);
  }
  return positions;
}

Variables OpCase::all_outputs(Variables inputs) const {
  if (lacks_auxiliary(inputs)) op.complete(example.attrs, inputs);
  const std::vector<const Variable*> pointers = pointers_to(inputs);
  ShapeArgs shapes(op, example.attrs, pointers);
  op.shape(shapes);
  Variables outputs(static_cast<size_t>(shapes.num_outputs()));
  apply_into(op, example.attrs, pointers, outputs);
  return outputs;
}

Variables OpCase::visible(const Variables& all) const {
  Variables kept;
  for (size_t k = 0; k < all.size(); ++k) {
    if (!in_mask(op.auxiliary_outputs, static_cast<int>(k))) kept.push_back(all[k]);
  }
  return kept;
}

Variables OpCase::reference_outputs(Variables inputs) const {
  const size_t count = num_outputs(inputs);
  if (lacks_auxiliary(inputs)) {
    const NoGrad off;
    Variables completed = inputs;
    op.complete(example.attrs, completed);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].defined()) inputs[i] = completed[i];
    }
  }
  Variables outputs(count);
  run_reference(op, example.attrs, pointers_to(inputs), outputs);
  return visible(outputs);
}

bool OpCase::lacks_auxiliary(const Variables& inputs) const {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (in_mask(op.auxiliary_inputs, static_cast<int>(i)) && !inputs[i].defined()) return op.complete != nullptr;
  }
  return false;
}

size_t OpCase::num_outputs(const Variables& inputs) const {
  const NoGrad off;
  return all_outputs(inputs).size();
}

Variables OpCase::Function::operator()(const Variables& moving) const {
  Variables inputs = base;
  const std::vector<size_t> positions = op_case.differentiable_inputs();
  for (size_t p = 0; p < positions.size(); ++p) inputs[positions[p]] = moving[p];
  return reference ? op_case.reference_outputs(inputs) : op_case.outputs(inputs);
}

Variables leaves_of(const OpCase& op_case, const Tensors& inputs) {
  Variables leaves;
  for (size_t i : op_case.differentiable_inputs()) leaves.push_back(leaf(inputs[i]));
  return leaves;
}

Derivatives differentiate(const FunctionRef& f, const Variables& leaves, uint64_t seed, bool create_graph) {
  const EnableGrad on;
  Derivatives result;
  RandomTensors random(seed);
  for (const Variable& output : f(leaves)) {
    if (!output.defined() || !is_floating(output.dtype())) continue;
    const Tensor cotangent = drawn_weight(random, output);
    if (!output.requires_grad()) continue;
    result.outputs.push_back(output);
    result.cotangents.push_back(cotangent);
  }
  result.gradients =
      grad(result.outputs, leaves,
           {.create_graph = create_graph, .allow_unused = true, .cotangents = as_variables(result.cotangents)});
  fill_with_zeros(result.gradients, leaves);
  return result;
}

Variables second_derivatives(const Variables& gradients, const Variables& leaves, uint64_t seed) {
  RandomTensors random(seed);
  Variables recorded;
  Variables weights;
  for (const Variable& gradient : gradients) {
    const Tensor weight = drawn_weight(random, gradient);
    if (!gradient.requires_grad()) continue;
    recorded.push_back(gradient);
    weights.push_back(weight);
  }
  Variables results = grad(recorded, leaves, {.allow_unused = true, .cotangents = weights});
  fill_with_zeros(results, leaves);
  return results;
}

Variables gradients_with(const FunctionRef& f, const Variables& leaves, const Tensors& cotangents) {
  const EnableGrad on;
  Variables outputs;
  for (const Variable& output : f(leaves)) {
    if (output.defined() && output.requires_grad()) outputs.push_back(output);
  }
  Variables gradients = grad(outputs, leaves, {.allow_unused = true, .cotangents = as_variables(cotangents)});
  fill_with_zeros(gradients, leaves);
  return gradients;
}

}  // namespace gradus::detail

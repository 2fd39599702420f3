// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <gradus/autograd/apply.hpp>
#include <gradus/autograd/context.hpp>
#include <gradus/autograd/example.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/reference.hpp>

#include "tests/support/random.hpp"

namespace gradus::tests {

using Variables = std::vector<Variable>;
using Tensors = std::vector<Tensor>;

inline Variables as_variables(const Tensors& tensors) { return Variables(tensors.begin(), tensors.end()); }

inline Tensors values_of(const Variables& variables) {
  Tensors values;
  for (const Variable& variable : variables) values.push_back(variable.value());
  return values;
}

/// One op on one of its examples, for the battery.
struct OpCase {
  const OpDef& op;
  const Example& example;
  uint64_t seed = 1;

  std::string name() const { return std::string(op.name) + ": " + example.name; }

  /// The independent inputs; auxiliary ones undefined.
  Tensors inputs(DType dtype = DType::f64) const { return RandomTensors::inputs(example, dtype, seed); }

  /// Whether a derivative with respect to input i is promised.
  bool differentiable(size_t i) const {
    const InputSpec& spec = example.inputs[i];
    return op.derivative.vjp() != nullptr && !spec.absent && is_floating(spec.dtype) && spec.constant == nullptr;
  }
  std::vector<size_t> differentiable_inputs() const {
    std::vector<size_t> positions;
    for (size_t i = 0; i < example.inputs.size(); ++i) {
      if (differentiable(i)) positions.push_back(i);
    }
    return positions;
  }

  /// All outputs, from the independent inputs; auxiliary outputs included.
  Variables all_outputs(Variables inputs) const {
    if (lacks_auxiliary(inputs)) op.complete(example.attrs, inputs);
    std::vector<const Variable*> pointers;
    for (const Variable& input : inputs) pointers.push_back(&input);
    ShapeArgs shapes(op, example.attrs, pointers);
    op.shape(shapes);
    Variables outputs(static_cast<size_t>(shapes.num_outputs()));
    apply_into(op, example.attrs, pointers, outputs);
    return outputs;
  }

  /// The outputs that users see.
  Variables outputs(Variables inputs) const { return visible(all_outputs(std::move(inputs))); }

  Variables visible(const Variables& all) const {
    Variables kept;
    for (size_t k = 0; k < all.size(); ++k) {
      if (!in_mask(op.auxiliary_outputs, static_cast<int>(k))) kept.push_back(all[k]);
    }
    return kept;
  }

  /// The visible outputs of the reference.
  Variables reference_outputs(Variables inputs) const {
    const size_t count = num_outputs(inputs);
    if (lacks_auxiliary(inputs)) {
      const NoGrad off;
      Variables completed = inputs;
      op.complete(example.attrs, completed);
      for (size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].defined()) inputs[i] = completed[i];
      }
    }
    std::vector<const Variable*> pointers;
    for (const Variable& input : inputs) pointers.push_back(&input);
    Variables outputs(count);
    run_reference(op, example.attrs, pointers, outputs);
    return visible(outputs);
  }

  bool lacks_auxiliary(const Variables& inputs) const {
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (in_mask(op.auxiliary_inputs, static_cast<int>(i)) && !inputs[i].defined()) return op.complete != nullptr;
    }
    return false;
  }

  size_t num_outputs(const Variables& inputs) const {
    const NoGrad off;
    return all_outputs(inputs).size();
  }

  /// The op (or its reference) as a function of its differentiable inputs alone, for gradcheck.
  struct Function {
    const OpCase& op_case;
    Variables base;
    bool reference = false;

    Variables operator()(const Variables& moving) const {
      Variables inputs = base;
      const std::vector<size_t> positions = op_case.differentiable_inputs();
      for (size_t p = 0; p < positions.size(); ++p) inputs[positions[p]] = moving[p];
      return reference ? op_case.reference_outputs(inputs) : op_case.outputs(inputs);
    }
  };
  Function function(const Tensors& base, bool reference = false) const {
    return {*this, as_variables(base), reference};
  }
};

/// Leaves holding the differentiable inputs.
inline Variables leaves_of(const OpCase& op_case, const Tensors& inputs) {
  Variables leaves;
  for (size_t i : op_case.differentiable_inputs()) leaves.push_back(leaf(inputs[i]));
  return leaves;
}

struct Derivatives {
  Variables outputs;    // recorded ones only
  Tensors cotangents;   // one for each of them
  Variables gradients;  // zeros where undefined
};

/// Gradients of f at fresh leaves, for the cotangents that `seed` draws.
template <class F>
Derivatives differentiate(const F& f, const Variables& leaves, uint64_t seed, bool create_graph = false) {
  const EnableGrad on;
  Derivatives result;
  RandomTensors random(seed);
  for (const Variable& output : f(leaves)) {
    if (!output.defined() || !is_floating(output.dtype())) continue;
    const Tensor cotangent = random.floating(output.shape(), output.dtype(), {.low = 0.5, .high = 1.5});
    if (!output.requires_grad()) continue;
    result.outputs.push_back(output);
    result.cotangents.push_back(cotangent);
  }
  result.gradients =
      grad(result.outputs, leaves,
           {.create_graph = create_graph, .allow_unused = true, .cotangents = as_variables(result.cotangents)});
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!result.gradients[i].defined()) result.gradients[i] = zeros(leaves[i].shape(), {.dtype = leaves[i].dtype()});
  }
  return result;
}

}  // namespace gradus::tests

// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/differences.hpp>

namespace gradus::detail {

/// The derivative of `inner` (of num_inputs inputs) as a function of its inputs and of one cotangent for each output.
struct DerivativeOf {
  const FunctionRef& inner;
  size_t num_inputs;
  DType dtype;

  std::vector<Variable> operator()(const std::vector<Variable>& all) const;
};

/// The gradients of sum_k <cotangents[k], f_k> at `values`; undefined where no output depends on an input. An undefined
/// cotangent is left out.
std::vector<Tensor> gradients_at(const FunctionRef& f, const std::vector<Tensor>& values,
                                 const std::vector<Tensor>& cotangents, DType dtype);

/// The names of the inputs of the next order: these, and a cotangent for each output.
std::vector<NamedInput> with_cotangents(const std::vector<NamedInput>& inputs, const std::vector<Tensor>& cotangents,
                                        int order);

}  // namespace gradus::detail

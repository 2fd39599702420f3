// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/autograd/engine/function_ref.hpp>

namespace gradus {

struct TransformOptions {
  /// Record the result, so that it can be differentiated again: with respect to the inputs, cotangents, tangents, and
  /// whatever else the function meets. Without it the result is a constant.
  bool create_graph = false;
};

struct [[nodiscard]] VjpResult {
  std::vector<Variable> outputs;
  std::vector<Variable> gradients;
};

/// f(inputs) and the product of `cotangents` (one for each output, of its shape) with the Jacobian: one gradient for
/// each floating input, zero where nothing depends on it; undefined for the others.
GRADUS_API VjpResult vjp(FunctionRef f, const std::vector<Variable>& inputs, const std::vector<Variable>& cotangents,
                         const TransformOptions& options = {});

struct [[nodiscard]] JvpResult {
  std::vector<Variable> outputs;
  std::vector<Variable> tangents;
};

/// f(inputs) and the product of the Jacobian with `tangents` (one for each input, of its shape; undefined: zero): how
/// the outputs change along them. By two vjps: the first one is linear in its cotangent, and its derivative with
/// respect to that is the product wanted. Needs f to be twice differentiable.
GRADUS_API JvpResult jvp(FunctionRef f, const std::vector<Variable>& inputs, const std::vector<Variable>& tangents,
                         const TransformOptions& options = {});

/// The product of the Hessian of f, which has one output of one element, with `vectors` (one for each input, of its
/// shape; undefined: zero). Costs about four times f (Pearlmutter 1994), and no matrix is formed.
[[nodiscard]] GRADUS_API std::vector<Variable> hvp(FunctionRef f, const std::vector<Variable>& inputs,
                                                   const std::vector<Variable>& vectors,
                                                   const TransformOptions& options = {});

/// d f(x) / d x for one input x [x...] and one output [y...]: [y..., x...]. One vjp for each element of the output.
GRADUS_API Variable jacobian(FunctionRef f, const Variable& x, const TransformOptions& options = {});

/// d^2 f(x) / dx dx for one input x [x...] and one output of one element: [x..., x...].
GRADUS_API Variable hessian(FunctionRef f, const Variable& x, const TransformOptions& options = {});

}  // namespace gradus

// SPDX-License-Identifier: MIT
// grad and backward.
#pragma once

#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/parameter.hpp>
#include <gradus/autograd/variable.hpp>

namespace gradus {

struct GradOptions {
  /// Record the derivative itself, so that it can be differentiated again; keeps the graph.
  bool create_graph = false;
  /// Keep what the graph saved, for another backward.
  bool retain_graph = false;
  /// An input that no output depends on gives an undefined Variable instead of an error.
  bool allow_unused = false;
  /// d loss / d outputs[k], of each output's shape and dtype; empty: 1 for outputs of one element.
  std::vector<Variable> cotangents = {};
};

/// Derivatives of sum_k <cotangents[k], outputs[k]> with respect to each of `inputs` (leaves, parameters or
/// intermediate values). Writes nowhere: several threads may differentiate their own graphs over shared parameters at
/// once. Throws when an input was not recorded, is not reached (see allow_unused), or the graph was freed or changed in
/// place.
[[nodiscard]] GRADUS_API std::vector<Variable> grad(const std::vector<Variable>& outputs,
                                                    const std::vector<Variable>& inputs,
                                                    const GradOptions& options = {});

struct BackwardOptions {
  bool retain_graph = false;
  /// d loss / d output; undefined: 1 for an output of one element.
  Variable cotangent = {};
};

/// Adds the derivative of `loss` into the grad() of every Parameter that it depends on. Throws when it depends on none;
/// the gradients of leaves are had from grad().
GRADUS_API void backward(const Variable& loss, const BackwardOptions& options = {});

}  // namespace gradus

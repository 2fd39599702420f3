// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <gradus/autograd/parameter.hpp>
#include <gradus/autograd/transforms.hpp>

namespace gradus::detail {

/// A Parameter that a recorded op reads, and the first op that does.
struct ParameterRead {
  const Parameter* parameter;
  std::string op;
  /// Path of the module that applied the op; may be empty.
  std::string path;
};

/// Every Parameter that f reads at `values`, in forward order. A Parameter that a ParameterBinding replaces by another
/// Variable does not count as read.
GRADUS_API std::vector<ParameterRead> parameters_read(const FunctionRef& f, const std::vector<Tensor>& values);

}  // namespace gradus::detail

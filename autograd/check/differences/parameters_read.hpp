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
  /// Of the module that applied the op; may be empty.
  std::string path;
};

/// Every Parameter that f reads at `values`, in forward order. One that stands for another Variable (ParameterBinding)
/// is not read.
GRADUS_API std::vector<ParameterRead> parameters_read(const FunctionRef& f, const std::vector<Tensor>& values);

}  // namespace gradus::detail

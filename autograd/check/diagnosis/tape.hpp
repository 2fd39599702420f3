// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/diagnosis/trace.hpp>

namespace gradus::detail {

/// One recorded application of an op, with the values that went in.
struct TapeEntry {
  const OpDef* op;
  Attrs attrs;
  std::vector<Tensor> inputs = {};
  /// Inputs that a derivative flows to, and that may move independently.
  std::vector<size_t> moving = {};
  int num_outputs = 1;
  std::string path = {};
  /// Its number among all ops that ran, recorded or not.
  int64_t applied = 0;
};

/// What f records at `values`, in forward order.
std::vector<TapeEntry> record_tape(const FunctionRef& f, const std::vector<Tensor>& values);

/// Checks each recorded op of f by itself, on its actual inputs and attributes, at the order of `options`, and names
/// the first one that fails; where there is none, the values that were detached on the way from the inputs `wrong`.
BadOp find_bad_op(const FunctionRef& f, const std::vector<NamedInput>& inputs, const std::vector<size_t>& wrong,
                  const GradcheckOptions& options);

}  // namespace gradus::detail

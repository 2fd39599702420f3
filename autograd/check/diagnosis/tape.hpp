// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/diagnosis/trace.hpp>

namespace gradus::detail {

/// One recorded application of an op, with the values of its inputs.
struct TapeEntry {
  const OpDef* op;
  Attrs attrs;
  std::vector<Tensor> inputs = {};
  /// The inputs that get a derivative and can move independently.
  std::vector<size_t> moving = {};
  int num_outputs = 1;
  std::string path = {};
  /// Its number among all ops that ran, recorded or not.
  int64_t applied = 0;
};

/// The ops that f records at `values`, in forward order.
std::vector<TapeEntry> record_tape(const FunctionRef& f, const std::vector<Tensor>& values);

/// Checks each recorded op of f by itself, on its actual inputs and attributes, at the order in `options`. Names the
/// first op that fails. When no op fails, lists the values that were detached on the way from the inputs in `wrong`.
BadOp find_bad_op(const FunctionRef& f, const std::vector<NamedInput>& inputs, const std::vector<size_t>& wrong,
                  const GradcheckOptions& options);

}  // namespace gradus::detail

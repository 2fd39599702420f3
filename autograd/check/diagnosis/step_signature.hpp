// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/differences/differences.hpp>

namespace gradus::detail {

/// What became of a derivative for the cotangent of one slice of an output alone.
enum class AtStep : uint8_t {
  right,
  silent,  ///< nothing depends on anything there, which is no evidence
  zero,    ///< the derivative is 0, and should not be
  wrong,
};

/// Names what is wrong between the steps of an axis, which no single element shows: each derivative of a recurrence is
/// a sum over steps. `axis` is named in words.
Signature classify_steps(const std::vector<AtStep>& steps, const std::string& axis);

/// The derivative of one input, taken for each slice of each axis of each output alone, along one direction.
struct StepQuestion {
  const FunctionRef& f;
  const std::vector<Tensor>& values;
  const std::vector<Tensor>& cotangents;
  size_t input;
  const Direction& direction;
  double step;
  double allowed;
  DType dtype;
};
/// Leaves the cotangents of `differences` as they are in the question.
Signature signature_of_steps(const StepQuestion& question, Differences& differences);

}  // namespace gradus::detail

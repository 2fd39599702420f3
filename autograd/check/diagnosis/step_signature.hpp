// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/differences/differences.hpp>

namespace gradus::detail {

/// The result for the derivative when only one slice of one output has a cotangent.
enum class AtStep : uint8_t {
  right,
  silent,  ///< nothing depends on anything there, so it proves nothing
  zero,    ///< the derivative is 0 and should not be
  wrong,
};

/// Names what is wrong between the steps of an axis. No single element shows that, because each derivative of a
/// recurrence is a sum over steps. `axis` is the axis in words.
Signature classify_steps(const std::vector<AtStep>& steps, const std::string& axis);

/// Asks for the derivative of one input along one direction, separately for each slice of each axis of each output.
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
/// Does not change the cotangents of `differences`.
Signature signature_of_steps(const StepQuestion& question, Differences& differences);

}  // namespace gradus::detail

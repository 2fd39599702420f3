// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

#include <gradus/autograd/check/differences/differences.hpp>

namespace gradus::detail {

/// For the number of an input, how large a part of its gradient neither differences nor repetition can tell from
/// rounding.
using Unseen = std::function<double(size_t)>;

/// Dense copies of the inputs, with their labels from `options`. Throws when gradcheck() must refuse the inputs.
std::vector<NamedInput> checked_inputs(const std::vector<NamedInput>& inputs, const GradcheckOptions& options);

/// Checks one function at one point with a random cotangent. These conditions must hold before a comparison with
/// differences means anything. Each function returns one sentence for each problem.
struct SoundnessCheck {
  const FunctionRef& f;
  const std::vector<NamedInput>& inputs;
  const std::vector<Tensor>& values;
  const std::vector<Tensor>& outputs;
  const std::vector<Tensor>& cotangents;
  DType dtype;

  /// The values are finite, and a second run gives the same bits.
  std::vector<std::string> forward() const;
  /// Checks `gradients`, the gradients of f for `cotangents`: they are finite, a second run gives the same bits, zeros
  /// give zeros, they are linear in the cotangent, and an output without a cotangent counts as one with zeros.
  std::vector<std::string> backward(const std::vector<Tensor>& gradients, CheckNumbers& numbers,
                                    const Unseen& unseen) const;
  /// Gradients add up when f is used twice on the same inputs, and when backward() runs twice into Parameters.
  std::vector<std::string> accumulation(const std::vector<Tensor>& gradients, const Unseen& unseen) const;
};

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

#include <gradus/autograd/check/differences/differences.hpp>

namespace gradus::detail {

/// How large a part of the gradient of an input, by its number, no difference and no repetition can tell from rounding.
using Unseen = std::function<double(size_t)>;

/// Own, dense copies of the inputs, with their labels from `options`. Throws what gradcheck() refuses.
std::vector<NamedInput> checked_inputs(const std::vector<NamedInput>& inputs, const GradcheckOptions& options);

/// One function at one point, for a random cotangent: what must hold before a comparison with differences says
/// anything. Each function returns a sentence for each thing that is wrong.
struct SoundnessCheck {
  const FunctionRef& f;
  const std::vector<NamedInput>& inputs;
  const std::vector<Tensor>& values;
  const std::vector<Tensor>& outputs;
  const std::vector<Tensor>& cotangents;
  DType dtype;

  /// Finite values, and the same bits again.
  std::vector<std::string> forward() const;
  /// Of `gradients`, f's for `cotangents`: finite, the same bits again, zero for zeros, linear, and without a cotangent
  /// the same as with zeros.
  std::vector<std::string> backward(const std::vector<Tensor>& gradients, CheckNumbers& numbers,
                                    const Unseen& unseen) const;
  /// They add up when f is used twice on the same inputs, and when backward() runs twice into Parameters.
  std::vector<std::string> accumulation(const std::vector<Tensor>& gradients, const Unseen& unseen) const;
};

}  // namespace gradus::detail

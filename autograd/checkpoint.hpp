// SPDX-License-Identifier: MIT
// checkpoint: runs a function again in the backward pass instead of keeping its values.
#pragma once

#include <vector>

#include <gradus/autograd/engine/attrs.hpp>
#include <gradus/autograd/transforms.hpp>

namespace gradus {

namespace detail {
using CheckpointFunction = Closure<std::vector<Variable>(const std::vector<Variable>&)>;
GRADUS_API std::vector<Variable> checkpoint(CheckpointFunction f, const std::vector<Variable>& inputs);
}  // namespace detail

/// f(inputs), without keeping the values that f saves for its derivative: the backward runs f once more and
/// differentiates that run (Chen et al. 2016, "Training deep nets with sublinear memory cost"). f is kept and called
/// again, so what it captures must live as long as the graph and must not change. Random numbers are replayed from the
/// first run, and no generator advances. Parameters and recorded Variables that f captures get their gradients too, to
/// any order; those that were recorded on another thread must be passed as inputs. The backward throws when a tensor
/// that the ops of f read, even a constant one, was changed in place since. Returns what f returns: a Variable, or a
/// vector of them.
template <class F>
auto checkpoint(F f, const std::vector<Variable>& inputs) {
  constexpr bool kSingle = std::is_convertible_v<decltype(f(inputs)), Variable>;
  std::vector<Variable> outputs = detail::checkpoint(
      [f = std::move(f)](const std::vector<Variable>& given) mutable { return FunctionRef::call(f, given); }, inputs);
  if constexpr (kSingle) {
    return std::move(outputs[0]);
  } else {
    return outputs;
  }
}

}  // namespace gradus

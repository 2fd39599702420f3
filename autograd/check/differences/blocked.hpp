// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/differences/differences.hpp>

namespace gradus::detail {

/// `keep` as a list, true for the elements that are kept. Empty when there is no `keep`.
std::vector<bool> kept_elements(const NamedInput& input);
/// Whether `keep` is given and false everywhere.
bool is_all_blocked(const NamedInput& input);

/// A sentence for each input with a gradient other than exactly 0 where its `keep` is false.
std::vector<std::string> blocked_gradients(const std::vector<NamedInput>& inputs, const std::vector<Tensor>& gradients);

/// A sentence for each input where the outputs of f change when the elements whose `keep` is false change. `outputs`
/// are the outputs of f at `values`.
std::vector<std::string> blocked_values(const FunctionRef& f, const std::vector<NamedInput>& inputs,
                                        const std::vector<Tensor>& values, const std::vector<Tensor>& outputs,
                                        CheckNumbers& numbers, DType dtype);

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
// What hooks on the modules of a model between symbols see.
#pragma once

#include <utility>
#include <vector>

#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"

namespace gradus::tests {

/// Checks how many Variables the calls of each module in `seen` return in one forward(), and that a hook on it changes
/// no logit and no attention weight beyond rounding.
template <class Model>
void check_hook_calls(Model& model, const Tensor& source, const Tensor& lengths, const Tensor& target,
                      const std::vector<std::pair<const char*, int>>& seen) {
  const Tensor expected = model(source, lengths, target).value();
  const GreedyOptions greedy{.begin = 0, .end = 1, .max_length = 4, .want_attention = true};
  const Tensor attention = model.greedy(source, lengths, greedy).attention;
  for (const auto& [name, count] : seen) {
    INFO(name);
    int variables = 0;
    model.submodule(name).on_output_([&](const Variable&) { ++variables; });
    CHECK(largest_error(model(source, lengths, target).value(), expected) < 1e-14);
    CHECK(variables == count);
    CHECK(largest_error(model.greedy(source, lengths, greedy).attention, attention) < 1e-14);
    model.submodule(name).remove_hooks_();
  }
}

}  // namespace gradus::tests

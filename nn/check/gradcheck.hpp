// SPDX-License-Identifier: MIT
// gradcheck of a module: all its inputs and parameters.
#pragma once

#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/nn/module.hpp>

#include <type_traits>

namespace gradus {

/// Checks the derivatives of f with respect to `inputs` (give initial states as inputs to check them too) and to every
/// parameter of `module`, which f calls. f gets only `inputs`. The report names parameters by full path, and frozen
/// ones, which are constants here, separately. The module must be f64 (`module.to_(DType::f64)`); its values and random
/// streams are restored. Each call of f starts from the same random numbers, so dropout can be checked.
GRADUS_API GradcheckReport gradcheck(Module& module, const std::vector<NamedInput>& inputs, FunctionRef f,
                                     const GradcheckOptions& options = {});

/// Tests that check itself: plants each corruption (autograd/check/corruptions.hpp) in every op that f records, one at
/// a time.
GRADUS_API SelfTestReport self_test(Module& module, const std::vector<NamedInput>& inputs, FunctionRef f,
                                    const GradcheckOptions& options = {});

namespace detail {

[[noreturn]] GRADUS_API void throw_wrong_inputs(const Module& layer, size_t count);

/// The result of a layer as a list. The result is a Variable, a list of them, or a struct with each_variable(visit).
template <class Result>
std::vector<Variable> variables_of(Result result) {
  std::vector<Variable> all;
  if constexpr (std::is_convertible_v<Result, Variable>) {
    all.push_back(std::move(result));
  } else if constexpr (requires { result.each_variable([](Variable&) {}); }) {
    result.each_variable([&](const Variable& v) { all.push_back(v); });
  } else {
    for (const Variable& v : result) all.push_back(v);
  }
  return all;
}

template <class L>
concept TakesOneVariable = requires(L& layer, const Variable& x) {
  layer.forward(x);
};
template <class L>
concept TakesTwoVariables = requires(L& layer, const Variable& x) {
  layer.forward(x, x);
};

template <class L>
std::vector<Variable> call_layer(L& layer, const std::vector<Variable>& in) {
  if constexpr (TakesTwoVariables<L>) {
    if (in.size() == 2) return variables_of(layer(in[0], in[1]));
  }
  if constexpr (TakesOneVariable<L>) {
    if (in.size() == 1) return variables_of(layer(in[0]));
  }
  throw_wrong_inputs(layer, in.size());
}

}  // namespace detail

/// The same without f, for a layer that is called as `layer(x)` or `layer(x, y)`: checks all its inputs, in their
/// order, and all its results. Throws when the layer takes another number of Variables.
template <class L>
requires std::is_base_of_v<Module, L> GradcheckReport gradcheck(L& layer, const std::vector<NamedInput>& inputs,
                                                                const GradcheckOptions& options = {}) {
  const auto call = [&](const std::vector<Variable>& in) { return detail::call_layer(layer, in); };
  return gradcheck(static_cast<Module&>(layer), inputs, call, options);
}

template <class L>
requires std::is_base_of_v<Module, L> SelfTestReport self_test(L& layer, const std::vector<NamedInput>& inputs,
                                                               const GradcheckOptions& options = {}) {
  const auto call = [&](const std::vector<Variable>& in) { return detail::call_layer(layer, in); };
  return self_test(static_cast<Module&>(layer), inputs, call, options);
}

}  // namespace gradus

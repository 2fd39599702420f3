// SPDX-License-Identifier: MIT
// gradcheck of a module, and checks of what sequence layers promise beside derivatives: masks, padding, causality.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/nn/attention/mask.hpp>
#include <gradus/nn/module.hpp>

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

// Properties of sequence layers that are not derivatives. They are checked for any layer given as a function of
// tensors: f(inputs) -> outputs, with masks, lengths and the layer itself inside. Axis 0 is the batch, axis 1 the time.
// f must give the same values when it is called twice (dropout in evaluation mode).

struct PropertyOptions {
  /// The seed of random contents, cotangents and permutations.
  uint64_t seed = 1;
  /// The bound where shapes differ, in rounding units of the outputs' dtype (2^-23 for f32, 2^-52 for f64), relative to
  /// max(1, abs(value)). Where shapes are equal, the bits must be equal.
  double units = 64;
  /// check_determinism: the numbers of threads that must give the same bits.
  std::vector<int> threads = {1, 2, 3};
};

struct [[nodiscard]] GRADUS_API PropertyReport {
  std::string property = {};
  bool ok = true;
  /// How many tensors were compared.
  int64_t compared = 0;
  /// The first few of the `violations`, as sentences that say what is wrong and where.
  std::vector<std::string> sentences = {};
  int64_t violations = 0;
  /// The largest abs(a - b) / max(1, abs(a), abs(b)) seen, and the bound where shapes differ.
  double worst = 0.0;
  double bound = 0.0;
  uint64_t seed = 0;

  std::string text() const;
};

struct MaskCase {
  /// Which positions of the input may have influence: on position q of outputs [B, Tq, ...], or on any output when the
  /// mask does not depend on the query.
  Mask mask = Mask::none();
  /// The number of the masked input: [B, Tk, ...], floating or i64.
  size_t input = 0;
};

/// Checks that a blocked position has no influence: its value changes no bit of the outputs, and its gradient is
/// exactly 0. Throws when the mask does not fit.
GRADUS_API PropertyReport check_mask(FunctionRef f, const std::vector<NamedInput>& inputs, const MaskCase& mask,
                                     const PropertyOptions& options = {});

struct CausalCase {
  /// The number of the input: [B, T, ...].
  size_t input = 0;
  /// Output t may depend on inputs up to t + reach. With -1 it may depend on earlier inputs only.
  int64_t reach = 0;
};

/// Checks that no output [B, T, ...] depends on a later input: outputs keep their bits, gradients are exactly 0.
GRADUS_API PropertyReport check_causal(FunctionRef f, const std::vector<NamedInput>& inputs,
                                       const CausalCase& causal = {}, const PropertyOptions& options = {});

struct PaddingCase {
  /// i64 [B], each in [0, T].
  Tensor lengths;
  /// The numbers of the padded inputs: [B, T, ...]. f takes T from them.
  std::vector<size_t> inputs = {0};
};

/// Checks that positions after a length change no bit and have gradient 0, and that padding to another T gives the same
/// numbers within the bound. Compares outputs [B, T, ...] at the positions before each length, and outputs without a
/// time axis everywhere.
GRADUS_API PropertyReport check_padding_invariance(FunctionRef f, const std::vector<NamedInput>& inputs,
                                                   const PaddingCase& padding, const PropertyOptions& options = {});

/// Checks that sequence(x [B, T, ...], states...) -> (output [B, T, ...], final states...) gives the same, within the
/// bound, as T calls of step(x_t [B, ...], states...) -> (output_t, states...). inputs: x and the initial states.
GRADUS_API PropertyReport check_step_equals_sequence(FunctionRef sequence, FunctionRef step,
                                                     const std::vector<NamedInput>& inputs,
                                                     const PropertyOptions& options = {});

struct BatchCase {
  /// The numbers of the inputs that have no batch axis.
  std::vector<size_t> shared = {};
};

/// Checks that the items of a batch do not influence each other. Permuted inputs give the permuted outputs with the
/// same bits, fewer items give the same numbers within the bound, and the output of one item has gradient exactly 0
/// with respect to the others. Axis 0 of inputs (lengths included) and outputs is the batch.
GRADUS_API PropertyReport check_batch_independence(FunctionRef f, const std::vector<NamedInput>& inputs,
                                                   const BatchCase& batch = {}, const PropertyOptions& options = {});

/// Checks that outputs and gradients have the same bits in every run and at every number of threads. Restores that
/// number.
GRADUS_API PropertyReport check_determinism(FunctionRef f, const std::vector<NamedInput>& inputs,
                                            const PropertyOptions& options = {});

}  // namespace gradus

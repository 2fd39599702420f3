// SPDX-License-Identifier: MIT
// Checks of what sequence layers promise beside derivatives: masks, padding, causality.
#pragma once

#include <string>
#include <vector>

#include <gradus/autograd/check/gradcheck.hpp>

// What sequence layers promise beside derivatives (nn/check/gradcheck.hpp), for any layer given as a function of
// tensors: f(inputs) -> outputs, with masks, lengths and the layer itself inside. Axis 0 is the batch, axis 1 the time.
// f must give the same values when it is called twice (dropout in evaluation mode).

namespace gradus {

struct PropertyOptions {
  /// Of contents, cotangents and permutations.
  uint64_t seed = 1;
  /// Allowed where shapes differ: rounding units of the outputs' dtype (2^-23 for f32, 2^-52 for f64), relative to
  /// max(1, abs(value)). Equal shapes must give the same bits.
  double units = 64;
  /// check_determinism: numbers of threads that must give the same bits.
  std::vector<int> threads = {1, 2, 3};
};

struct [[nodiscard]] GRADUS_API PropertyReport {
  std::string property = {};
  bool ok = true;
  /// Tensors compared.
  int64_t compared = 0;
  /// What was found wrong, a sentence with its place each: the first few of `violations`.
  std::vector<std::string> sentences = {};
  int64_t violations = 0;
  /// The largest abs(a - b) / max(1, abs(a), abs(b)) seen, and what was allowed where shapes differ.
  double worst = 0.0;
  double bound = 0.0;
  uint64_t seed = 0;

  std::string text() const;
};

struct MaskCase {
  /// bool, true = may have influence. [B, Tk]: on any output. [B, Tq, Tk]: on position q of outputs [B, Tq, ...]; sizes
  /// of 1 broadcast.
  Tensor keep;
  /// Which of the inputs is masked: [B, Tk, ...], floating or i64.
  size_t input = 0;
};

/// A blocked position has no influence: whatever it holds, the outputs keep their bits, and its gradient is exactly 0.
GRADUS_API PropertyReport check_mask(FunctionRef f, const std::vector<NamedInput>& inputs, const MaskCase& mask,
                                     const PropertyOptions& options = {});

struct CausalCase {
  /// Which input: [B, T, ...].
  size_t input = 0;
  /// Output t may depend on inputs up to t + reach: -1 for the past alone.
  int64_t reach = 0;
};

/// No output [B, T, ...] depends on a later input: outputs keep their bits, gradients are exactly 0.
GRADUS_API PropertyReport check_causal(FunctionRef f, const std::vector<NamedInput>& inputs,
                                       const CausalCase& causal = {}, const PropertyOptions& options = {});

struct PaddingCase {
  /// i64 [B], each in [0, T].
  Tensor lengths;
  /// Which inputs are padded: [B, T, ...]. f takes T from them.
  std::vector<size_t> inputs = {0};
};

/// What lies beyond a length changes no bit and has gradient 0, and other padded lengths give the same numbers within
/// the bound: at positions before each length of outputs [B, T, ...], and anywhere in outputs without a time axis.
GRADUS_API PropertyReport check_padding_invariance(FunctionRef f, const std::vector<NamedInput>& inputs,
                                                   const PaddingCase& padding, const PropertyOptions& options = {});

/// sequence(x [B, T, ...], states...) -> (output [B, T, ...], final states...) gives what step(x_t [B, ...], states...)
/// -> (output_t, states...) gives T times, within the bound. inputs: x and the initial states.
GRADUS_API PropertyReport check_step_equals_sequence(FunctionRef sequence, FunctionRef step,
                                                     const std::vector<NamedInput>& inputs,
                                                     const PropertyOptions& options = {});

struct BatchCase {
  /// Inputs without a batch axis.
  std::vector<size_t> shared = {};
};

/// Items of a batch do not see each other: permuted inputs give the permuted outputs with the same bits, fewer items
/// the same numbers within the bound, and the output of one item has gradient exactly 0 with respect to the others.
/// Inputs (lengths among them) and outputs have axis 0 for the batch.
GRADUS_API PropertyReport check_batch_independence(FunctionRef f, const std::vector<NamedInput>& inputs,
                                                   const BatchCase& batch = {}, const PropertyOptions& options = {});

/// Outputs and gradients have the same bits in every run and at every number of threads (which is set back).
GRADUS_API PropertyReport check_determinism(FunctionRef f, const std::vector<NamedInput>& inputs,
                                            const PropertyOptions& options = {});

}  // namespace gradus

// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/op.hpp>

namespace gradus {

/// The vjp of any op that has a `reference` and saves all its inputs: differentiates the reference, in recorded ops, so
/// that every higher order follows. It is what the backward op of a fused op uses: first order never comes here.
GRADUS_API void vjp_via_reference(VjpArgs& args);

/// For the `reference` of a backward op: differentiates `forward.reference` on `inputs` (those of the forward op) with
/// the cotangents given, one for each output of `forward` (undefined: zero). gradients[i] is the derivative with
/// respect to inputs[i]; undefined where the input is absent, not floating, or not asked for (bit i of `wanted`).
GRADUS_API void reference_of_backward(const OpDef& forward, const Attrs& attrs, InputSpan inputs,
                                      std::span<const Variable> cotangents, uint32_t wanted,
                                      std::span<Variable> gradients);

/// Runs op.reference, which is counted in path_counts(). Fills `outputs`; auxiliary ones may stay undefined.
GRADUS_API void run_reference(const OpDef& op, const Attrs& attrs, InputSpan inputs, std::span<Variable> outputs);

}  // namespace gradus

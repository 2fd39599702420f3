// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/op.hpp>

namespace gradus {

/// The vjp for any op that has a `reference` and saves all its inputs. Differentiates the reference in recorded ops, so
/// every higher order works. The backward op of a fused op uses it; first order never gets here.
GRADUS_API void vjp_via_reference(VjpArgs& args);

/// For the `reference` of a backward op. Differentiates `forward.reference` at `inputs`, the inputs of the forward op,
/// with the given cotangents, one for each output of `forward` (undefined: zero). gradients[i] is the derivative with
/// respect to inputs[i]. It is undefined when the input is absent, not floating, or not asked for (bit i of `wanted`).
GRADUS_API void reference_of_backward(const OpDef& forward, const Attrs& attrs, InputSpan inputs,
                                      std::span<const Variable> cotangents, uint32_t wanted,
                                      std::span<Variable> gradients);

/// Runs op.reference and counts that in path_counts(). Fills `outputs`; auxiliary outputs may stay undefined.
GRADUS_API void run_reference(const OpDef& op, const Attrs& attrs, InputSpan inputs, std::span<Variable> outputs);

}  // namespace gradus

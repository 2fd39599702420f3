// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>

#include <gradus/autograd/op.hpp>

namespace gradus {

/// Runs an op and records it when a derivative may be asked for: the only creator of graph nodes. Fills one output for
/// each that the shape rule states. Throws what the shape rule throws.
GRADUS_API void apply_into(const OpDef& op, const Attrs& attrs, InputSpan inputs, std::span<Variable> outputs);

/// The same for an op with one output.
inline Variable apply(const OpDef& op, const Attrs& attrs, std::initializer_list<const Variable*> inputs) {
  Variable out;
  apply_into(op, attrs, InputSpan(inputs.begin(), inputs.size()), std::span<Variable>(&out, 1));
  return out;
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <vector>

#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/arithmetic.hpp>
#include <gradus/autograd/ops/elementwise.hpp>
#include <gradus/autograd/ops/recurrent.hpp>
#include <gradus/autograd/ops/views.hpp>

// What the recurrent layers over a sequence share: the walk over time that defines lengths and direction, in public
// ops, and the shape rule.

namespace gradus::recurrence {

/// gates_x [B, T, G H], states (h, and c for LSTM) each [B, H]. step(x_t [B, G H], states) gives the next states.
/// At a step beyond a row's length its states stay as they are and its output is 0.
template <class Step>
SequenceOutput walk(const Variable& gates_x, std::vector<Variable> states, const Variable& lengths, bool reverse,
                    Step&& step) {
  const std::vector<Variable> steps = unbind(gates_x, 1);
  std::vector<Variable> outputs(steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    const size_t t = reverse ? steps.size() - 1 - i : i;
    std::vector<Variable> next = step(steps[t], states);
    outputs[t] = next[0];
    if (lengths.defined()) {
      const Variable active = unsqueeze(greater(lengths, static_cast<double>(t)), 1);
      outputs[t] = where(active, next[0], zeros({}, {.dtype = next[0].dtype()}));
      for (size_t s = 0; s < states.size(); ++s) next[s] = where(active, next[s], states[s]);
    }
    states = std::move(next);
  }
  SequenceOutput out;
  const Shape& h = states[0].shape();
  out.output = steps.empty() ? Variable(zeros({h[0], 0, h[1]}, {.dtype = states[0].dtype()})) : stack(outputs, 1);
  out.h = states[0];
  if (states.size() > 1) out.c = states[1];
  return out;
}

/// Gate k of G in x [B, G H].
inline Variable gate(const Variable& x, int64_t k, int64_t hidden) { return narrow(x, 1, k * hidden, hidden); }

/// Checks the inputs gates_x [B, T, G H], initial states [B, H] (h0, and c0 for LSTM), w_hh [G H, H], b_hh [G H],
/// lengths i64 [B] (optional), in this order. Throws `[op] wrong shape of w_hh: expected ..., got ...`.
void require_inputs(const char* op, int64_t gates, InputSpan inputs);
inline void require_inputs(const char* op, int64_t gates, std::initializer_list<const Variable*> inputs) {
  require_inputs(op, gates, InputSpan(inputs.begin(), inputs.size()));
}

}  // namespace gradus::recurrence

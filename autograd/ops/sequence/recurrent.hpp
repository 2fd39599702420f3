// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/creation.hpp>
#include <gradus/tensor/detail/lengths.hpp>

// Common parts of the recurrent layers over a sequence: the loop over time that defines lengths and direction, in
// public ops, and the shape rule.

namespace gradus::recurrent {

/// Checks `lengths` against gates_x [B, T, G H]. They are integers and have no derivative.
inline LengthRange range_of(const char* op, const Variable& gates_x, const Variable& lengths) {
  return require_lengths(op, lengths.value(), gates_x.size(0), gates_x.size(1));
}

/// The steps of gates_x [B, T, G H] that are computed, and their contents without padding.
class Padding {
 public:
  Padding(const char* op, const Variable& gates_x, const Variable& lengths) : time_(gates_x.size(1)), steps_(time_) {
    if (!lengths.defined()) return;
    if (context().tracing) {
      full_ = 0;
      valid_ = less(Variable(arange(0, static_cast<double>(time_), {.dtype = DType::i64})), unsqueeze(lengths, 1));
      return;
    }
    const LengthRange range = range_of(op, gates_x, lengths);
    // At least one step, so that every input has a gradient, even if it is all zeros.
    steps_ = std::min(time_, std::max<int64_t>(range.most, 1));
    full_ = range.least;
    if (full_ < time_) valid_ = valid_steps(lengths.value(), steps_);
  }

  int64_t steps() const { return steps_; }
  /// Whether some row has ended before step t.
  bool any_ended(int64_t t) const { return valid_.defined() && t >= full_; }
  /// bool [B, 1]: the rows that have not ended before step t.
  Variable active(int64_t t) const { return narrow(valid_, 1, t, 1); }
  /// The steps that are computed, with 0 in place of padding, which may contain anything.
  Variable read(const Variable& gates_x) const {
    if (!valid_.defined()) return gates_x;
    return where(unsqueeze(valid_, 2), narrow(gates_x, 1, 0, steps_), nothing(gates_x));
  }

  static Variable nothing(const Variable& like) { return zeros({}, {.dtype = like.dtype()}); }

 private:
  int64_t time_;
  int64_t steps_;
  int64_t full_ = 0;  // the number of steps that all rows take
  Variable valid_;    // bool [B, steps]; undefined: all
};

/// The result for no steps: the output [B, 0, H] and the initial states. Both depend on all inputs, so that these get
/// gradients of zeros.
template <class Step>
SequenceOutput walk_nothing(const Variable& gates_x, std::vector<Variable> states, Step&& step) {
  const auto empty = [](const Variable& state) { return Shape{state.size(0), 0, state.size(1)}; };
  std::vector<Variable> no_rows;
  no_rows.reserve(states.size());
  for (const Variable& state : states) no_rows.push_back(narrow(state, 0, 0, 0));
  const std::vector<Variable> next = step(reshape(gates_x, {0, gates_x.size(2)}), no_rows);
  const Variable output = reshape(next[0], empty(states[0]));
  for (size_t s = 0; s < states.size(); ++s) {
    states[s] = add(states[s], sum(reshape(next[s], empty(states[s])), {1}));
  }
  return {.output = output, .h = states[0], .c = states.size() > 1 ? states[1] : Variable()};
}

/// gates_x [B, T, G H], states (h, and c for LSTM) each [B, H]. step(x_t [B, G H], states) gives the next states. At a
/// step after a row's length its states do not change and its output is 0; the step function gets zeros there.
template <class Step>
SequenceOutput walk(const char* op, const Variable& gates_x, std::vector<Variable> states, const Variable& lengths,
                    bool reverse, Step&& step) {
  const Padding padding(op, gates_x, lengths);
  if (gates_x.size(1) == 0) return walk_nothing(gates_x, std::move(states), step);
  const std::vector<Variable> steps = unbind(padding.read(gates_x), 1);
  const Variable nothing = Padding::nothing(gates_x);
  std::vector<Variable> outputs(static_cast<size_t>(gates_x.size(1)), expand(nothing, states[0].shape()));
  for (int64_t i = 0; i < padding.steps(); ++i) {
    const int64_t t = reverse ? padding.steps() - 1 - i : i;
    const Variable& x = steps[static_cast<size_t>(t)];
    Variable& output = outputs[static_cast<size_t>(t)];
    if (!padding.any_ended(t)) {
      states = step(x, states);
      output = states[0];
      continue;
    }
    const Variable active = padding.active(t);
    std::vector<Variable> given;
    given.reserve(states.size());
    for (const Variable& state : states) given.push_back(where(active, state, nothing));
    const std::vector<Variable> next = step(x, given);
    output = where(active, next[0], nothing);
    for (size_t s = 0; s < states.size(); ++s) states[s] = where(active, next[s], states[s]);
  }
  return {.output = stack(outputs, 1), .h = states[0], .c = states.size() > 1 ? states[1] : Variable()};
}

/// Gate k of G in x [B, G H].
inline Variable gate(const Variable& x, int64_t k, int64_t hidden) { return narrow(x, 1, k * hidden, hidden); }

/// Checks the inputs gates_x [B, T, G H], initial states [B, H] (h0, and c0 for LSTM), w_hh [G H, H], b_hh [G H],
/// lengths i64 [B], each from 0 to T (optional), in this order. With w_hr [P, H], which may be undefined, h0 is [B, P]
/// and w_hh [G H, P]. Throws `[op] wrong w_hh: expected ..., got ...`.
void require_inputs(const char* op, int64_t gates, InputSpan inputs, const Variable& w_hr = {});

/// The `reference` and the `complete` of the backward op of a cell, whose first inputs are those of `forward`. Its
/// outputs are the gradients of the first `gradients` inputs.
struct BackwardOp {
  const OpDef& forward;
  size_t inputs;   ///< of `forward`
  size_t outputs;  ///< of `forward`

  /// `cotangents`: one for each output of `forward`.
  void reference(const Attrs& attrs, InputSpan in, std::span<const Variable> cotangents, int gradients,
                 Variable* out) const;
  /// Fills the auxiliary inputs: `saved` are pairs of an input and the output of `forward` that it comes from.
  void complete(const Attrs& attrs, std::vector<Variable>& in, std::initializer_list<std::pair<int, int>> saved) const;
};

}  // namespace gradus::recurrent

// SPDX-License-Identifier: MIT
#include <gradus/nn/recurrent/normalised_recurrence.hpp>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/sequence/recurrent.hpp>
#include <gradus/autograd/ops/views/views.hpp>

namespace gradus::detail {
namespace {

using recurrent::gate;
using StepStates = std::vector<Variable>;

// `size` gates from `begin` on.
struct GateRange {
  int64_t begin;
  int64_t size;
};

// x [.., n], whose last axis is the part `at` of all gates.
Variable normalise_part(const Variable& x, const Variable& weight, const Variable& bias, const GateRange& at) {
  return layer_norm(x, {.weight = narrow(weight, 0, at.begin, at.size), .bias = narrow(bias, 0, at.begin, at.size)});
}

// x [.., G H].
Variable normalise_gates(CellKind cell, const Variable& x, const Variable& weight, const Variable& bias) {
  if (cell != CellKind::gru) return layer_norm(x, {.weight = weight, .bias = bias});
  const int64_t hidden = x.size(-1) / 3;
  const GateRange parts[] = {{0, 2 * hidden}, {2 * hidden, hidden}};
  StepStates normalised;
  for (const GateRange& at : parts) {
    normalised.push_back(normalise_part(narrow(x, -1, at.begin, at.size), weight, bias, at));
  }
  return concat(normalised, -1);
}

StepStates rnn_step(const RecurrentOptions& options, const RecurrentWeights& w, const Variable& x,
                    const StepStates& state) {
  const Variable a = add(x, normalise_gates(CellKind::rnn, linear(state[0], w.weight_hh), w.norm_hh, w.bias_hh));
  return {options.activation == RnnActivation::relu ? relu(a) : tanh(a)};
}

StepStates gru_step(const RecurrentOptions& options, const RecurrentWeights& w, const Variable& x,
                    const StepStates& state) {
  const Variable& h = state[0];
  const int64_t hidden = options.hidden_size;
  const GateRange rz{0, 2 * hidden}, last{2 * hidden, hidden};
  const auto part = [&](const Variable& from, const GateRange& at) {
    return normalise_part(linear(from, narrow(w.weight_hh, 0, at.begin, at.size)), w.norm_hh, w.bias_hh, at);
  };
  const Variable a = sigmoid(add(narrow(x, 1, 0, 2 * hidden), part(h, rz)));
  const Variable r = gate(a, 0, hidden);
  const Variable z = gate(a, 1, hidden);
  const Variable q = options.reset_after ? mul(r, part(h, last)) : part(mul(r, h), last);
  const Variable n = tanh(add(gate(x, 2, hidden), q));
  return {add(n, mul(z, sub(h, n)))};
}

StepStates lstm_step(const RecurrentOptions& options, const RecurrentWeights& w, const Variable& x,
                     const StepStates& state) {
  const int64_t hidden = options.hidden_size;
  const Variable a = add(x, normalise_gates(CellKind::lstm, linear(state[0], w.weight_hh), w.norm_hh, w.bias_hh));
  const Variable i = sigmoid(gate(a, 0, hidden));
  const Variable f = sigmoid(gate(a, 1, hidden));
  const Variable g = tanh(gate(a, 2, hidden));
  const Variable o = sigmoid(gate(a, 3, hidden));
  const Variable c = add(mul(f, state[1]), mul(i, g));
  const Variable h = mul(o, tanh(layer_norm(c, {.weight = w.norm_c, .bias = w.bias_c})));
  return {options.proj_size > 0 ? linear(h, w.weight_hr) : h, c};
}

}  // namespace

Variable normalised_gates(const RecurrentOptions& options, const RecurrentWeights& w, const Variable& product) {
  return normalise_gates(options.cell, product, w.norm_ih, w.bias_ih);
}

SequenceOutput normalised_sequence(const RecurrentOptions& options, const RecurrentWeights& w, const Variable& gates_x,
                                   const Variable& h0, const Variable& c0, const Tensor& lengths, bool reverse) {
  const bool has_cell = options.cell == CellKind::lstm;
  const char* name = cell_name(options.cell);
  const Variable steps(lengths), w_hh = w.weight_hh, b_hh = w.bias_hh, w_hr = w.weight_hr;
  std::vector<const Variable*> in = {&gates_x, &h0};
  if (has_cell) in.push_back(&c0);
  in.insert(in.end(), {&w_hh, &b_hh, &steps});
  recurrent::require_inputs(name, w_hh.size(0) / options.hidden_size, in, w_hr);
  const auto each = options.cell == CellKind::rnn ? rnn_step : options.cell == CellKind::gru ? gru_step : lstm_step;
  const auto step = [&](const Variable& x, const StepStates& state) { return each(options, w, x, state); };
  return recurrent::walk(name, gates_x, has_cell ? StepStates{h0, c0} : StepStates{h0}, steps, reverse, step);
}

}  // namespace gradus::detail

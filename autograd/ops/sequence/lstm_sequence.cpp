// SPDX-License-Identifier: MIT
// LSTM over a sequence, composed from public ops. This defines its meaning, and any kernel can be tested against it.
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/sequence/recurrent.hpp>
#include <gradus/tensor/detail/called_as.hpp>

namespace gradus {

SequenceOutput lstm_sequence(const Variable& gates_x, const Variable& h0, const Variable& c0, const Variable& w_hh,
                             const Variable& b_hh, const Variable& lengths, SequenceOptions options) {
  const detail::CalledAs called("lstm_sequence");
  recurrent::require_inputs("lstm_sequence", 4, {&gates_x, &h0, &c0, &w_hh, &b_hh, &lengths});
  const int64_t hidden = h0.size(1);
  const auto step = [&](const Variable& x, const std::vector<Variable>& state) {
    const Variable gates = add(x, linear(state[0], w_hh, b_hh));
    const Variable i = sigmoid(recurrent::gate(gates, 0, hidden));
    const Variable f = sigmoid(recurrent::gate(gates, 1, hidden));
    const Variable g = tanh(recurrent::gate(gates, 2, hidden));
    const Variable o = sigmoid(recurrent::gate(gates, 3, hidden));
    const Variable c = add(mul(f, state[1]), mul(i, g));
    return std::vector<Variable>{mul(o, tanh(c)), c};
  };
  return recurrent::walk("lstm_sequence", gates_x, {h0, c0}, lengths, options.reverse, step);
}

}  // namespace gradus

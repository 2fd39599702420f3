// SPDX-License-Identifier: MIT
// Elman's RNN over a sequence, composed from public ops. This defines its meaning, and any kernel can be tested against
// it.
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/sequence/recurrent.hpp>
#include <gradus/tensor/detail/called_as.hpp>

namespace gradus {

SequenceOutput rnn_sequence(const Variable& gates_x, const Variable& h0, const Variable& w_hh, const Variable& b_hh,
                            const Variable& lengths, SequenceOptions options) {
  const detail::CalledAs called("rnn_sequence");
  recurrent::require_inputs("rnn_sequence", 1, {&gates_x, &h0, &w_hh, &b_hh, &lengths});
  const auto step = [&](const Variable& x, const std::vector<Variable>& state) {
    return std::vector<Variable>{tanh(add(x, linear(state[0], w_hh, b_hh)))};
  };
  return recurrent::walk("rnn_sequence", gates_x, {h0}, lengths, options.reverse, step);
}

}  // namespace gradus

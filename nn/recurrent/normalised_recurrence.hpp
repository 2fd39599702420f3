// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/nn/recurrent/recurrent.hpp>

// Recurrent layers with layer_norm, composed of public ops, step by step.

namespace gradus::detail {

/// The input's part of the gates, from product [B, T, G H] = x W_ih^T: normalised, times norm_ih, plus bias_ih. For a
/// GRU, r and z are normalised together and n alone; for the other cells, all gates together.
Variable normalised_gates(const RecurrentOptions& options, const RecurrentWeights& w, const Variable& product);

/// The recurrence over gates_x [B, T, G H] of normalised_gates: as gru_sequence, lstm_sequence and rnn_sequence, with
/// W_hh h + b_hh and, in the last use of the cell, c' normalised.
SequenceOutput normalised_sequence(const RecurrentOptions& options, const RecurrentWeights& w, const Variable& gates_x,
                                   const Variable& h0, const Variable& c0, const Tensor& lengths, bool reverse);

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

// The kernels of gru.hpp, lstm.hpp and rnn.hpp on tensors of any strides. G is 3 for the GRU, 4 for the LSTM and 1 for
// the RNN; S is the size of h, which is H unless an LSTM has a projection.

namespace gradus::kernels {

struct RecurrentInputs {
  Tensor gates_x = {};  ///< [B, T, G H]
  Tensor h0 = {};       ///< [B, S]
  Tensor c0 = {};       ///< LSTM: [B, H]
  Tensor w_hh = {};     ///< [G H, S]
  Tensor b_hh = {};     ///< [G H]
  Tensor w_hr = {};     ///< LSTM: [S, H], or undefined
  Tensor lengths = {};  ///< i64 [B], each from 0 to T (the caller has checked that), or undefined: all T
  bool reverse = false;
  bool reset_after = true;  ///< GRU
  bool relu = false;        ///< RNN
};

/// The forward's results: y [B, T, S], h_n [B, S], c_n [B, H] of the LSTM, and what the backward needs besides: gates
/// [B, T, 4H] of the GRU or [B, T, 5H] of the LSTM. All are dense.
struct RecurrentOutputs {
  Tensor y = {};
  Tensor h_n = {};
  Tensor c_n = {};
  Tensor gates = {};
};

/// The derivatives by the outputs of these names (undefined: 0), and y and gates themselves.
struct RecurrentSaved {
  Tensor dy = {};
  Tensor dh_n = {};
  Tensor dc_n = {};
  Tensor y = {};
  Tensor gates = {};
};

/// The derivatives by the inputs of these names, all dense; those that a cell does not have are undefined.
struct RecurrentGradients {
  Tensor gates_x = {};
  Tensor h0 = {};
  Tensor c0 = {};
  Tensor w_hh = {};
  Tensor b_hh = {};
  Tensor w_hr = {};
};

void gru_forward(const RecurrentInputs& in, RecurrentOutputs out);
void gru_backward(const RecurrentInputs& in, const RecurrentSaved& saved, RecurrentGradients out);

void lstm_forward(const RecurrentInputs& in, RecurrentOutputs out);
void lstm_backward(const RecurrentInputs& in, const RecurrentSaved& saved, RecurrentGradients out);

void rnn_forward(const RecurrentInputs& in, RecurrentOutputs out);
void rnn_backward(const RecurrentInputs& in, const RecurrentSaved& saved, RecurrentGradients out);

}  // namespace gradus::kernels

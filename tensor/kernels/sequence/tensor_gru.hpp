// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

// The GRU kernels of gru.hpp on tensors of any strides.

namespace gradus::kernels {

struct GruInputs {
  Tensor gates_x;  ///< [B, T, 3H]
  Tensor h0;       ///< [B, H]
  Tensor w_hh;     ///< [3H, H]
  Tensor b_hh;     ///< [3H]
  Tensor lengths;  ///< i64 [B], each from 0 to T (the caller has checked that), or undefined: all T
  bool reverse = false;
  bool reset_after = true;
};

struct GruGradients {
  Tensor gates_x;
  Tensor h0;
  Tensor w_hh;
  Tensor b_hh;
};

/// Computes y [B, T, H], h_n [B, H], and gates [B, T, 4H] for the backward.
void gru_forward(const GruInputs& in, Tensor& y, Tensor& h_n, Tensor& gates);

/// dy [B, T, H] and dh_n [B, H] may be undefined (zero); y and gates are the forward's results; fills `out`, all dense.
void gru_backward(const GruInputs& in, const Tensor& dy, const Tensor& dh_n, const Tensor& y, const Tensor& gates,
                  GruGradients out);

}  // namespace gradus::kernels

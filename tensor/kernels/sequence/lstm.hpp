// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// The long short-term memory over a whole sequence, one direction; gate order i, f, g, o as in PyTorch. With x_k the
/// parts of gates_x (the input's projection plus its bias) at one step, W_hk of w_hh, b_hk of b_hh:
///   i, f, o = sigmoid(x_k + W_hk h + b_hk)   g = tanh(x_g + W_hg h + b_hg)
///   c' = f * c + i * g   h' = o * tanh(c')   or, with a projection, h' = W_hr (o * tanh(c')) (Sak et al. 2014)
/// All arrays are dense; S is the size of h, which is H without a projection. Row b takes lengths[b] steps,
/// 0 <= lengths[b] <= time, in any order (null: all of them). `reverse` starts at the last valid step and goes back to
/// step 0. gates_x is never read after a length.
template <class T>
struct LstmSequence {
  int64_t batch = 0;
  int64_t time = 0;
  int64_t hidden = 0;          ///< H
  int64_t state = 0;           ///< S
  const T* gates_x = nullptr;  ///< [B, T, 4H]
  const T* h0 = nullptr;       ///< [B, S]
  const T* c0 = nullptr;       ///< [B, H]
  const T* w_hh = nullptr;     ///< [4H, S]
  const T* b_hh = nullptr;     ///< [4H]
  const T* w_hr = nullptr;     ///< [S, H], or null: no projection
  const int64_t* lengths = nullptr;
  bool reverse = false;
};

/// The backward pass needs `y` and `gates` of each step: 5 H + S numbers for a row. tanh(c') is computed again.
template <class T>
struct LstmResults {
  T* y = nullptr;      ///< [B, T, S]: h after step t, at t; 0 after a length
  T* h_n = nullptr;    ///< [B, S]: h after the last valid step; h0 at length 0
  T* c_n = nullptr;    ///< [B, H]
  T* gates = nullptr;  ///< [B, T, 5H], or null: i, f, g, o and c'; 0 after a length
};

template <class T>
void lstm_forward(const LstmSequence<T>& in, const LstmResults<T>& out);

/// The forward's results, and the derivatives of a scalar by these results; dy, dh_n and dc_n may be null, which means
/// 0.
template <class T>
struct LstmCotangents {
  const T* y = nullptr;
  const T* gates = nullptr;
  const T* dy = nullptr;    ///< [B, T, S]
  const T* dh_n = nullptr;  ///< [B, S]
  const T* dc_n = nullptr;  ///< [B, H]
};

/// The derivatives by the inputs, overwritten; a null one is not computed.
template <class T>
struct LstmDerivatives {
  T* gates_x = nullptr;  ///< [B, T, 4H]: 0 after a length
  T* h0 = nullptr;       ///< [B, S]
  T* c0 = nullptr;       ///< [B, H]
  T* w_hh = nullptr;     ///< [4H, S]
  T* b_hh = nullptr;     ///< [4H]
  T* w_hr = nullptr;     ///< [S, H]
};

/// gates, y and dy are never read after a length.
template <class T>
void lstm_backward(const LstmSequence<T>& in, const LstmCotangents<T>& saved, const LstmDerivatives<T>& out);

}  // namespace gradus::kernels

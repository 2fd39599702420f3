// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// The gated recurrent unit over a whole sequence, one direction; gate order r, z, n as in PyTorch. With x_g the three
/// parts of gates_x (the input's projection plus its bias) at one step, W_hg of w_hh, b_hg of b_hh:
///   r  = sigmoid(x_r + W_hr h + b_hr)
///   z  = sigmoid(x_z + W_hz h + b_hz)
///   n  = tanh(x_n + r * (W_hn h + b_hn))   reset_after = true (PyTorch, cuDNN)
///   n  = tanh(x_n + W_hn (r * h) + b_hn)   reset_after = false (Cho et al. 2014)
///   h' = (1 - z) * n + z * h
/// All arrays are dense. Row b takes lengths[b] steps, 0 <= lengths[b] <= time, in any order (null: all of them).
/// `reverse` starts at the last valid step and goes back to step 0. gates_x is never read after a length.
template <class T>
struct GruSequence {
  int64_t batch = 0;
  int64_t time = 0;
  int64_t hidden = 0;
  const T* gates_x = nullptr;  ///< [B, T, 3H]
  const T* h0 = nullptr;       ///< [B, H]
  const T* w_hh = nullptr;     ///< [3H, H]
  const T* b_hh = nullptr;     ///< [3H]
  const int64_t* lengths = nullptr;
  bool reverse = false;
  bool reset_after = true;
};

template <class T>
struct GruResults {
  T* y = nullptr;      ///< [B, T, H]: the state after step t, at t; 0 after a length
  T* h_n = nullptr;    ///< [B, H]: the state after the last valid step; h0 at length 0
  T* gates = nullptr;  ///< [B, T, 4H], or null: r, z, n and W_hn h + b_hn (reset_after) or r * h; 0 after a length
};

template <class T>
void gru_forward(const GruSequence<T>& in, const GruResults<T>& out);

/// The forward's results, and the derivatives of a scalar by these results; dy and dh_n may be null, which means 0.
template <class T>
struct GruCotangents {
  const T* y = nullptr;
  const T* gates = nullptr;
  const T* dy = nullptr;    ///< [B, T, H]
  const T* dh_n = nullptr;  ///< [B, H]
};

/// The derivatives by the inputs, overwritten; a null one is not computed.
template <class T>
struct GruDerivatives {
  T* gates_x = nullptr;  ///< [B, T, 3H]: 0 after a length
  T* h0 = nullptr;       ///< [B, H]
  T* w_hh = nullptr;     ///< [3H, H]
  T* b_hh = nullptr;     ///< [3H]
};

/// gates, y and dy are never read after a length.
template <class T>
void gru_backward(const GruSequence<T>& in, const GruCotangents<T>& saved, const GruDerivatives<T>& out);

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// Elman's recurrent network over a whole sequence, one direction: h' = fn(x + W_hh h + b_hh), where x is the part of
/// gates_x (the input's projection plus its bias) at one step, and fn is tanh or relu. All arrays are dense. Row b
/// takes lengths[b] steps, 0 <= lengths[b] <= time, in any order (null: all of them). `reverse` starts at the last
/// valid step and goes back to step 0. gates_x is never read after a length.
template <class T>
struct RnnSequence {
  int64_t batch = 0;
  int64_t time = 0;
  int64_t hidden = 0;
  const T* gates_x = nullptr;  ///< [B, T, H]
  const T* h0 = nullptr;       ///< [B, H]
  const T* w_hh = nullptr;     ///< [H, H]
  const T* b_hh = nullptr;     ///< [H]
  const int64_t* lengths = nullptr;
  bool reverse = false;
  bool relu = false;  ///< instead of tanh
};

/// The backward pass needs `y` and nothing else.
template <class T>
struct RnnResults {
  T* y = nullptr;    ///< [B, T, H]: the state after step t, at t; 0 after a length
  T* h_n = nullptr;  ///< [B, H]: the state after the last valid step; h0 at length 0
};

template <class T>
void rnn_forward(const RnnSequence<T>& in, const RnnResults<T>& out);

/// The forward's result, and the derivatives of a scalar by its results; dy and dh_n may be null, which means 0.
template <class T>
struct RnnCotangents {
  const T* y = nullptr;
  const T* dy = nullptr;    ///< [B, T, H]
  const T* dh_n = nullptr;  ///< [B, H]
};

/// The derivatives by the inputs, overwritten; a null one is not computed.
template <class T>
struct RnnDerivatives {
  T* gates_x = nullptr;  ///< [B, T, H]: 0 after a length
  T* h0 = nullptr;       ///< [B, H]
  T* w_hh = nullptr;     ///< [H, H]
  T* b_hh = nullptr;     ///< [H]
};

/// y and dy are never read after a length.
template <class T>
void rnn_backward(const RnnSequence<T>& in, const RnnCotangents<T>& saved, const RnnDerivatives<T>& out);

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// The cells of rnn.hpp, gru.hpp and lstm.hpp, where the formulas are.
enum class StepCell : uint8_t { rnn_tanh, rnn_relu, gru, gru_reset_before, lstm };

/// One layer that goes step by step: its sizes, packed weights, state and working memory. G is the number of gates. S
/// is the size of h, which is H unless an LSTM has a projection. All arrays are dense.
template <class T>
struct StepLayer {
  StepCell cell = StepCell::rnn_tanh;
  int64_t batch = 0;
  int64_t input = 0;
  int64_t hidden = 0;     ///< H
  int64_t state = 0;      ///< S
  T* w_ih = nullptr;      ///< W_ih^T [I, G H], packed
  T* w_hh = nullptr;      ///< W_hh^T [S, G H], packed; its first 2H columns where r comes before the product
  T* w_last = nullptr;    ///< packed: W_hn^T [H, H] where r comes before the product, or W_hr^T [H, S]; else empty
  T* b_ih = nullptr;      ///< [G H]
  T* b_hh = nullptr;      ///< [G H]
  T* h = nullptr;         ///< [B, S]
  T* c = nullptr;         ///< LSTM: [B, H]
  T* gates_x = nullptr;   ///< [B, G H]
  T* products = nullptr;  ///< [B, G H]
  T* inner = nullptr;     ///< [B, H]: r * h of a GRU, o * tanh(c') before a projection
  T* gates = nullptr;     ///< GRU: [B, 4H]
};

/// The number of elements of the memory that place_step_layer divides.
template <class T>
int64_t step_layer_size(const StepLayer<T>& layer);

/// Gives each array of `layer` its part of `memory`, which must be 64-byte aligned.
template <class T>
void place_step_layer(StepLayer<T>& layer, T* memory);

/// The layer's weights as they are, all dense.
template <class T>
struct StepWeights {
  const T* w_ih = nullptr;  ///< [G H, I]
  const T* w_hh = nullptr;  ///< [G H, S]
  const T* b_ih = nullptr;  ///< [G H]
  const T* b_hh = nullptr;  ///< [G H]
  const T* w_hr = nullptr;  ///< [S, H] with a projection
};

template <class T>
void pack_step_layer(const StepWeights<T>& weights, const StepLayer<T>& layer);

/// A number that says how weights are packed. It changes with the instruction set, and with it packed weights become
/// useless.
int packed_form();

/// One step of `count` layers, each of which reads the state of the one below; x [B, I] -> y [B, S], which may be the
/// same memory. On the calling thread, and without any memory but that of the layers. The numbers are those of the
/// kernels over sequences, to the bit.
template <class T>
void recurrent_step(const StepLayer<T>* layers, int64_t count, const T* x, T* y);

}  // namespace gradus::kernels

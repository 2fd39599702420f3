// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/sequence/recurrent_step.cpp"
#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#include <algorithm>
#include <array>

#include <gradus/tensor/kernels/common/ceil_div.hpp>
#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/kernels/gemm/gemm_packed-inl.hpp>
#include <gradus/tensor/kernels/sequence/gru_cell-inl.hpp>
#include <gradus/tensor/kernels/sequence/lstm_cell-inl.hpp>
#include <gradus/tensor/kernels/sequence/recurrent-inl.hpp>
#include <gradus/tensor/kernels/sequence/recurrent_step.hpp>

#ifndef GRADUS_TENSOR_KERNELS_RECURRENT_STEP_GATES
#define GRADUS_TENSOR_KERNELS_RECURRENT_STEP_GATES
namespace gradus::kernels {

inline int64_t gates_of(StepCell cell) {
  switch (cell) {
    case StepCell::gru:
    case StepCell::gru_reset_before:
      return 3;
    case StepCell::lstm:
      return 4;
    case StepCell::rnn_tanh:
    case StepCell::rnn_relu:
      break;
  }
  return 1;
}

}  // namespace gradus::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// to [B, columns], with rows `stride` apart = from [B, length] times a packed matrix.
template <class T>
void StepProduct(const StepLayer<T>& l, const T* from, int64_t length, const T* packed, T* to, int64_t columns,
                 int64_t stride) {
  RunPacked(PackedGemm<T>{l.batch, columns, length, from, length, packed, to, stride, false});
}

template <class T>
void StepRnn(const StepLayer<T>& l) {
  const hn::ScalableTag<T> d;
  const int64_t hidden = l.hidden;
  StepProduct(l, l.h, hidden, l.w_hh, l.products, hidden, hidden);
  for (int64_t i = 0; i < l.batch; ++i) {
    T* h = l.h + i * hidden;
    const RnnForwardRow<T> row{l.gates_x + i * hidden, l.products + i * hidden, l.b_hh, h, h};
    if (l.cell == StepCell::rnn_relu) {
      ForVectors(d, hidden, RnnForward<true, decltype(d)>{d, row});
    } else {
      ForVectors(d, hidden, RnnForward<false, decltype(d)>{d, row});
    }
  }
}

template <class T>
void StepGru(const StepLayer<T>& l) {
  const hn::ScalableTag<T> d;
  const int64_t hidden = l.hidden, stride = 3 * hidden;
  const auto row = [&](int64_t i) {
    T* h = l.h + i * hidden;
    return GruForwardRow<T>{hidden, l.gates_x + i * stride,   l.products + i * stride, l.b_hh, h,
                            h,      l.gates + i * 4 * hidden, l.inner + i * hidden};
  };
  if (l.cell == StepCell::gru) {
    StepProduct(l, l.h, hidden, l.w_hh, l.products, stride, stride);
    for (int64_t i = 0; i < l.batch; ++i) ForVectors(d, hidden, GruForwardAfter<decltype(d)>{d, row(i)});
    return;
  }
  StepProduct(l, l.h, hidden, l.w_hh, l.products, 2 * hidden, stride);
  for (int64_t i = 0; i < l.batch; ++i) ForVectors(d, hidden, GruForwardReset<decltype(d)>{d, row(i)});
  StepProduct(l, l.inner, hidden, l.w_last, l.products, hidden, stride);
  for (int64_t i = 0; i < l.batch; ++i) ForVectors(d, hidden, GruForwardBefore<decltype(d)>{d, row(i)});
}

template <class T>
void StepLstm(const StepLayer<T>& l) {
  const hn::ScalableTag<T> d;
  const int64_t hidden = l.hidden, stride = 4 * hidden;
  const bool projects = l.state != hidden;
  StepProduct(l, l.h, l.state, l.w_hh, l.products, stride, stride);
  for (int64_t i = 0; i < l.batch; ++i) {
    const LstmForwardRow<T> row{hidden,
                                l.gates_x + i * stride,
                                l.products + i * stride,
                                l.b_hh,
                                l.c + i * hidden,
                                (projects ? l.inner : l.h) + i * hidden,
                                nullptr,
                                nullptr};
    ForVectors(d, hidden, LstmForward<decltype(d)>{d, row});
  }
  if (projects) StepProduct(l, l.inner, hidden, l.w_last, l.h, l.state, l.state);
}

template <class T>
void RunRecurrentStep(const StepLayer<T>* layers, int64_t count, const T* x) {
  for (const StepLayer<T>* l = layers; l != layers + count; ++l) {
    const int64_t width = gates_of(l->cell) * l->hidden;
    // The sum starts after the bias and goes on in order, as in a linear layer of all steps.
    for (int64_t i = 0; i < l->batch; ++i) std::copy_n(l->b_ih, width, l->gates_x + i * width);
    PackedGemm<T> product{l->batch, width, l->input, x, l->input, l->w_ih, l->gates_x, width, true};
    product.in_order = true;
    RunPacked(product);
    switch (l->cell) {
      case StepCell::rnn_tanh:
      case StepCell::rnn_relu:
        StepRnn(*l);
        break;
      case StepCell::gru:
      case StepCell::gru_reset_before:
        StepGru(*l);
        break;
      case StepCell::lstm:
        StepLstm(*l);
        break;
    }
    x = l->h;
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

template <class T>
struct StepArray {
  T* StepLayer<T>::*at;
  int64_t size;
};

// The columns of W_hh^T that are packed together.
template <class T>
int64_t step_columns(const StepLayer<T>& l) {
  return (l.cell == StepCell::gru_reset_before ? 2 : gates_of(l.cell)) * l.hidden;
}

// The columns of w_last; 0: there is none.
template <class T>
int64_t step_last_columns(const StepLayer<T>& l) {
  if (l.cell == StepCell::gru_reset_before) return l.hidden;
  return l.state != l.hidden ? l.state : 0;
}

template <class T>
std::array<StepArray<T>, 11> step_arrays(const StepLayer<T>& l) {
  const bool gru = l.cell == StepCell::gru || l.cell == StepCell::gru_reset_before;
  const int64_t width = gates_of(l.cell) * l.hidden, rows = l.batch;
  return {{{&StepLayer<T>::w_ih, packed_b_size<T>(l.input, width)},
           {&StepLayer<T>::w_hh, packed_b_size<T>(l.state, step_columns(l))},
           {&StepLayer<T>::w_last, packed_b_size<T>(l.hidden, step_last_columns(l))},
           {&StepLayer<T>::b_ih, width},
           {&StepLayer<T>::b_hh, width},
           {&StepLayer<T>::h, rows * l.state},
           {&StepLayer<T>::c, l.cell == StepCell::lstm ? rows * l.hidden : 0},
           {&StepLayer<T>::gates_x, rows * width},
           {&StepLayer<T>::products, rows * width},
           {&StepLayer<T>::inner, rows * l.hidden},
           {&StepLayer<T>::gates, gru ? rows * 4 * l.hidden : 0}}};
}

// Each array starts at a multiple of 64 bytes.
template <class T>
int64_t whole_lines(int64_t elements) {
  constexpr int64_t kLine = 64 / sizeof(T);
  return ceil_div(elements, kLine) * kLine;
}

}  // namespace

template <class T>
int64_t step_layer_size(const StepLayer<T>& layer) {
  int64_t size = 0;
  for (const StepArray<T>& array : step_arrays(layer)) size += whole_lines<T>(array.size);
  return size;
}

template <class T>
void place_step_layer(StepLayer<T>& layer, T* memory) {
  for (const StepArray<T>& array : step_arrays(layer)) {
    layer.*array.at = memory;
    memory += whole_lines<T>(array.size);
  }
}

template <class T>
void pack_step_layer(const StepWeights<T>& weights, const StepLayer<T>& l) {
  const int64_t width = gates_of(l.cell) * l.hidden, together = step_columns(l);
  const bool resets = l.cell == StepCell::gru_reset_before;
  pack_b(l.input, width, weights.w_ih, 1, l.input, l.w_ih);
  pack_b(l.state, together, weights.w_hh, 1, l.state, l.w_hh);
  pack_b(l.hidden, step_last_columns(l), resets ? weights.w_hh + together * l.hidden : weights.w_hr, 1, l.hidden,
         l.w_last);
  std::copy_n(weights.b_ih, width, l.b_ih);
  std::copy_n(weights.b_hh, width, l.b_hh);
}

int packed_form() { return simd_level.load(std::memory_order_relaxed); }

template <class T>
void recurrent_step(const StepLayer<T>* layers, int64_t count, const T* x, T* y) {
  GRADUS_SIMD(RunRecurrentStep<T>)(layers, count, x);
  const StepLayer<T>& last = layers[count - 1];
  std::copy_n(last.h, last.batch * last.state, y);
}

GRADUS_FLOAT_AND_DOUBLE(step_layer_size)
GRADUS_FLOAT_AND_DOUBLE(place_step_layer)
GRADUS_FLOAT_AND_DOUBLE(pack_step_layer)
GRADUS_FLOAT_AND_DOUBLE(recurrent_step)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

// SPDX-License-Identifier: MIT

// One row of one step of an LSTM, forward and backward, over the hidden units (formulas: lstm.hpp). The callers compute
// the products with the weights, for all rows of a chunk at once.

#include <cstdint>

#include <gradus/tensor/kernels/sequence/recurrent-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_math-inl.hpp>
#include <gradus/tensor/kernels/simd/vectors-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_LSTM_CELL_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_LSTM_CELL_INL
#undef GRADUS_TENSOR_KERNELS_LSTM_CELL_INL
#else
#define GRADUS_TENSOR_KERNELS_LSTM_CELL_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
struct LstmForwardRow {
  int64_t hidden;
  const T* x;         // [4H]
  const T* products;  // [4H]: W_hh h
  const T* bias;      // [4H]
  T* c;               // [H]: the cell, overwritten by the new one
  T* h;               // [H]: o * tanh(c')
  T* y;               // [H]: the same, or null
  T* gates;           // [5H], or null
};

template <class D, class T = hn::TFromD<D>>
struct LstmForward {
  D d;
  LstmForwardRow<T> row;
  template <class IO>
  HWY_INLINE void operator()(const IO& io, int64_t j) const {
    const int64_t hidden = row.hidden;
    const T *x = row.x + j, *p = row.products + j, *bias = row.bias + j;
    const auto i = Sigmoid(d, SumOf3(d, io.load(x), io.load(p), io.load(bias)));
    const auto f = Sigmoid(d, SumOf3(d, io.load(x + hidden), io.load(p + hidden), io.load(bias + hidden)));
    const auto g = Tanh(d, SumOf3(d, io.load(x + 2 * hidden), io.load(p + 2 * hidden), io.load(bias + 2 * hidden)));
    const auto o = Sigmoid(d, SumOf3(d, io.load(x + 3 * hidden), io.load(p + 3 * hidden), io.load(bias + 3 * hidden)));
    const auto c = hn::MulAdd(f, io.load(row.c + j), hn::Mul(i, g));
    const auto h = hn::Mul(o, Tanh(d, c));
    io.store(c, row.c + j);
    io.store(h, row.h + j);
    if (row.y != nullptr) io.store(h, row.y + j);
    if (row.gates == nullptr) return;
    T* gates = row.gates + j;
    io.store(i, gates);
    io.store(f, gates + hidden);
    io.store(g, gates + 2 * hidden);
    io.store(o, gates + 3 * hidden);
    io.store(c, gates + 4 * hidden);
  }
};

template <class T>
struct LstmBackwardRow {
  int64_t hidden;
  const T* gates;    // [5H]
  const T* c;        // [H]: the cell before the step
  const T* dh;       // [H]: d (o * tanh(c'))
  const T* dy;       // [H]: added to dh, or null
  T* dc;             // [H]: in: dc'; out: dc
  T* dx;             // [4H]: d gates_x, or null
  T* dproducts;      // [4H]: the same
  T* product_saved;  // [H]: o * tanh(c'), or null
};

template <class D, class T = hn::TFromD<D>>
struct LstmBackward {
  D d;
  LstmBackwardRow<T> row;
  template <class IO>
  HWY_INLINE void operator()(const IO& io, int64_t j) const {
    const int64_t hidden = row.hidden;
    const auto one = hn::Set(d, T{1});
    const T* gates = row.gates + j;
    const auto i = io.load(gates), f = io.load(gates + hidden);
    const auto g = io.load(gates + 2 * hidden), o = io.load(gates + 3 * hidden);
    const auto t = Tanh(d, io.load(gates + 4 * hidden));
    auto dh = io.load(row.dh + j);
    if (row.dy != nullptr) dh = hn::Add(dh, io.load(row.dy + j));
    // h' = o * tanh(c'), c' = f * c + i * g
    const auto dout = hn::Mul(dh, t);
    const auto dc = hn::MulAdd(hn::Mul(dh, o), hn::NegMulAdd(t, t, one), io.load(row.dc + j));
    io.store(hn::Mul(dc, f), row.dc + j);
    // i, f, o = sigmoid(a), g = tanh(a)
    const auto da_i = hn::Mul(hn::Mul(dc, g), hn::Mul(i, hn::Sub(one, i)));
    const auto da_f = hn::Mul(hn::Mul(dc, io.load(row.c + j)), hn::Mul(f, hn::Sub(one, f)));
    const auto da_g = hn::Mul(hn::Mul(dc, i), hn::NegMulAdd(g, g, one));
    const auto da_o = hn::Mul(dout, hn::Mul(o, hn::Sub(one, o)));
    T* dproducts = row.dproducts + j;
    io.store(da_i, dproducts);
    io.store(da_f, dproducts + hidden);
    io.store(da_g, dproducts + 2 * hidden);
    io.store(da_o, dproducts + 3 * hidden);
    if (row.product_saved != nullptr) io.store(hn::Mul(o, t), row.product_saved + j);
    if (row.dx == nullptr) return;
    T* dx = row.dx + j;
    io.store(da_i, dx);
    io.store(da_f, dx + hidden);
    io.store(da_g, dx + 2 * hidden);
    io.store(da_o, dx + 3 * hidden);
  }
};

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

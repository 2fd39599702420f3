// SPDX-License-Identifier: MIT

// One row of one step of a GRU, forward and backward, over the hidden units (formulas: gru.hpp). The callers compute
// the products with the weights, for all rows of a chunk at once.

#include <cstdint>

#include <gradus/tensor/kernels/sequence/recurrent-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_math-inl.hpp>
#include <gradus/tensor/kernels/simd/vectors-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_GRU_CELL_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_GRU_CELL_INL
#undef GRADUS_TENSOR_KERNELS_GRU_CELL_INL
#else
#define GRADUS_TENSOR_KERNELS_GRU_CELL_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
struct GruForwardRow {
  int64_t hidden;
  const T* x;         // [3H]
  const T* products;  // W_hh h: [3H]; reset before the product: first r and z [2H], then W_hn (r * h) [H]
  const T* bias;      // [3H]
  T* h;               // [H]: the state, overwritten by the new one
  T* y;               // [H]
  T* gates;           // [4H]
  T* reset;           // [H]: r * h
};

/// h' = (1 - z) * n + z * h = n + z * (h - n)
template <class IO, class V, class T>
HWY_INLINE void StoreState(const IO& io, V z, V n, V h, T* state, T* y) {
  const V next = hn::MulAdd(z, hn::Sub(h, n), n);
  io.store(next, state);
  io.store(next, y);
}

template <class D, class T = hn::TFromD<D>>
struct GruForwardAfter {
  D d;
  GruForwardRow<T> row;
  template <class IO>
  HWY_INLINE void operator()(const IO& io, int64_t j) const {
    const int64_t hidden = row.hidden;
    const T *x = row.x + j, *p = row.products + j, *bias = row.bias + j;
    const auto r = Sigmoid(d, SumOf3(d, io.load(x), io.load(p), io.load(bias)));
    const auto z = Sigmoid(d, SumOf3(d, io.load(x + hidden), io.load(p + hidden), io.load(bias + hidden)));
    const auto q = hn::Add(io.load(p + 2 * hidden), io.load(bias + 2 * hidden));
    const auto n = Tanh(d, hn::MulAdd(r, q, io.load(x + 2 * hidden)));
    StoreState(io, z, n, io.load(row.h + j), row.h + j, row.y + j);
    io.store(r, row.gates + j);
    io.store(z, row.gates + hidden + j);
    io.store(n, row.gates + 2 * hidden + j);
    io.store(q, row.gates + 3 * hidden + j);
  }
};

/// The first half of a step with reset before the product: computes r, z and r * h.
template <class D, class T = hn::TFromD<D>>
struct GruForwardReset {
  D d;
  GruForwardRow<T> row;
  template <class IO>
  HWY_INLINE void operator()(const IO& io, int64_t j) const {
    const int64_t hidden = row.hidden;
    const T *x = row.x + j, *p = row.products + j, *bias = row.bias + j;
    const auto r = Sigmoid(d, SumOf3(d, io.load(x), io.load(p), io.load(bias)));
    const auto z = Sigmoid(d, SumOf3(d, io.load(x + hidden), io.load(p + hidden), io.load(bias + hidden)));
    io.store(r, row.gates + j);
    io.store(z, row.gates + hidden + j);
    const auto reset = hn::Mul(r, io.load(row.h + j));
    io.store(reset, row.gates + 3 * hidden + j);
    io.store(reset, row.reset + j);
  }
};

/// The second half, with products = W_hn (r * h).
template <class D, class T = hn::TFromD<D>>
struct GruForwardBefore {
  D d;
  GruForwardRow<T> row;
  template <class IO>
  HWY_INLINE void operator()(const IO& io, int64_t j) const {
    const int64_t hidden = row.hidden;
    const auto n = Tanh(
        d, SumOf3(d, io.load(row.x + 2 * hidden + j), io.load(row.products + j), io.load(row.bias + 2 * hidden + j)));
    StoreState(io, io.load(row.gates + hidden + j), n, io.load(row.h + j), row.h + j, row.y + j);
    io.store(n, row.gates + 2 * hidden + j);
  }
};

template <class T>
struct GruBackwardRow {
  int64_t hidden;
  const T* gates;   // [4H]
  const T* h;       // [H]: the state before the step
  const T* dy;      // [H], or null
  T* dh;            // [H]: in: dh'; out: the part of dh that does not pass through the products
  T* dx;            // [3H]: d gates_x, or null
  T* dproducts;     // [3H]: d (W_hh h), or d (x + ...) of the gates where they are equal
  T* h_saved;       // [H]: h, stored with dproducts, or null
  T* reset_saved;   // [H]: r * h, stored likewise, or null
  const T* dreset;  // [H]: d (r * h)
};

template <class IO, class T>
HWY_INLINE auto LoadDh(const IO& io, const GruBackwardRow<T>& row, int64_t j) {
  const auto dh = io.load(row.dh + j);
  return row.dy == nullptr ? dh : hn::Add(dh, io.load(row.dy + j));
}

template <class D, class T = hn::TFromD<D>>
struct GruBackwardAfter {
  D d;
  GruBackwardRow<T> row;
  template <class IO>
  HWY_INLINE void operator()(const IO& io, int64_t j) const {
    const int64_t hidden = row.hidden;
    const auto one = hn::Set(d, T{1});
    const T* gates = row.gates + j;
    const auto r = io.load(gates), z = io.load(gates + hidden);
    const auto n = io.load(gates + 2 * hidden), q = io.load(gates + 3 * hidden);
    const auto h = io.load(row.h + j);
    const auto dnext = LoadDh(io, row, j);
    // h' = (1 - z) * n + z * h
    const auto keep = hn::Sub(one, z);
    const auto dz = hn::Mul(dnext, hn::Sub(h, n));
    const auto dn = hn::Mul(dnext, keep);
    io.store(hn::Mul(dnext, z), row.dh + j);
    // n = tanh(a_n), a_n = x_n + r * q, q = W_hn h + b_hn
    const auto da_n = hn::Mul(dn, hn::NegMulAdd(n, n, one));
    const auto dr = hn::Mul(da_n, q);
    const auto dq = hn::Mul(da_n, r);
    // r = sigmoid(a_r), z = sigmoid(a_z)
    const auto da_r = hn::Mul(dr, hn::Mul(r, hn::Sub(one, r)));
    const auto da_z = hn::Mul(dz, hn::Mul(z, keep));
    io.store(da_r, row.dproducts + j);
    io.store(da_z, row.dproducts + hidden + j);
    io.store(dq, row.dproducts + 2 * hidden + j);
    if (row.h_saved != nullptr) io.store(h, row.h_saved + j);
    if (row.dx == nullptr) return;
    io.store(da_r, row.dx + j);
    io.store(da_z, row.dx + hidden + j);
    io.store(da_n, row.dx + 2 * hidden + j);
  }
};

/// The first half of a step with reset before the product: everything but r.
template <class D, class T = hn::TFromD<D>>
struct GruBackwardBefore {
  D d;
  GruBackwardRow<T> row;
  template <class IO>
  HWY_INLINE void operator()(const IO& io, int64_t j) const {
    const int64_t hidden = row.hidden;
    const auto one = hn::Set(d, T{1});
    const auto z = io.load(row.gates + hidden + j), n = io.load(row.gates + 2 * hidden + j);
    const auto h = io.load(row.h + j);
    const auto dnext = LoadDh(io, row, j);
    // h' = (1 - z) * n + z * h
    const auto keep = hn::Sub(one, z);
    const auto dz = hn::Mul(dnext, hn::Sub(h, n));
    const auto dn = hn::Mul(dnext, keep);
    io.store(hn::Mul(dnext, z), row.dh + j);
    // z = sigmoid(a_z), n = tanh(a_n), a_n = x_n + W_hn (r * h) + b_hn
    io.store(hn::Mul(dz, hn::Mul(z, keep)), row.dproducts + hidden + j);
    io.store(hn::Mul(dn, hn::NegMulAdd(n, n, one)), row.dproducts + 2 * hidden + j);
    if (row.h_saved == nullptr) return;
    io.store(h, row.h_saved + j);
    io.store(io.load(row.gates + 3 * hidden + j), row.reset_saved + j);
  }
};

/// The second half, with dreset = W_hn^T da_n.
template <class D, class T = hn::TFromD<D>>
struct GruBackwardReset {
  D d;
  GruBackwardRow<T> row;
  template <class IO>
  HWY_INLINE void operator()(const IO& io, int64_t j) const {
    const int64_t hidden = row.hidden;
    const auto r = io.load(row.gates + j), h = io.load(row.h + j), dreset = io.load(row.dreset + j);
    // r * h
    const auto dr = hn::Mul(dreset, h);
    io.store(hn::MulAdd(dreset, r, io.load(row.dh + j)), row.dh + j);
    // r = sigmoid(a_r)
    const auto da_r = hn::Mul(dr, hn::Mul(r, hn::Sub(hn::Set(d, T{1}), r)));
    io.store(da_r, row.dproducts + j);
    if (row.dx == nullptr) return;
    io.store(da_r, row.dx + j);
    io.store(io.load(row.dproducts + hidden + j), row.dx + hidden + j);
    io.store(io.load(row.dproducts + 2 * hidden + j), row.dx + 2 * hidden + j);
  }
};

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

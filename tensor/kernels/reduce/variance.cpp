// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/reduce/variance.cpp"
#include <cmath>

#include <gradus/tensor/kernels/elementwise/elementwise-inl.hpp>
#include <gradus/tensor/kernels/reduce/reduce-inl.hpp>
#include <gradus/tensor/kernels/reduce/row_kernels.hpp>
#include <gradus/tensor/kernels/reduce/wide.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// x[i] - mean, or its square.
template <bool kSquared, class T>
struct Centred {
  const T* x;
  T mean;
  template <class IO>
  HWY_INLINE auto operator()(const IO& io, int64_t i) const {
    const auto v = hn::Sub(io.load(x + i), hn::Set(io.d, mean));
    return io.within(kSquared ? hn::Mul(v, v) : v);
  }
};

template <class T>
void VarianceRows(const T* x, int64_t rows, int64_t n, double divisor, bool root, T* y) {
  const hn::ScalableTag<T> d;
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * n;
    const T mean = SumOf(d, n, ArrayOperand<T>{row}) / static_cast<T>(n);
    const T squares = SumOf(d, n, Centred<true, T>{row, mean});
    // Corrects for the rounded mean: with c = mean - true mean, squares is too large by n c^2, and rest = -n c.
    const T rest = SumOf(d, n, Centred<false, T>{row, mean});
    const T total = squares - rest * rest / static_cast<T>(n);
    // A variance that is too small for T is 0, but its root may still be representable.
    if (squares_in_range(total) || (!root && squares == 0)) {
      const T variance = total / static_cast<T>(divisor);
      y[r] = root ? std::sqrt(variance) : variance;
    } else {
      y[r] = wide_variance(row, n, divisor, root);
    }
  }
}

template <class T>
struct MinusOp {
  T mean;
  T rest;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Sub(hn::Sub(x, hn::Set(d, mean)), hn::Set(d, rest));
  }
};

template <class T>
void CenterRows(const T* x, int64_t rows, int64_t n, T* y) {
  const hn::ScalableTag<T> d;
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const T mean = SumOf(d, n, ArrayOperand<T>{x}) / static_cast<T>(n);
    if (!(mean - mean == 0)) {
      wide_center(x, n, 1, y);
      continue;
    }
    const T rest = SumOf(d, n, Centred<false, T>{x, mean}) / static_cast<T>(n);
    MapUnary(MinusOp<T>{mean, rest}, x, y, n);
  }
}

/// The first `count` columns of x [n, ..], count <= lanes.
template <class D, class T>
HWY_INLINE void CenterColumns(D d, const T* x, int64_t n, int64_t pitch, size_t count, T* y) {
  using V = hn::Vec<D>;
  const bool whole = count == hn::Lanes(d);
  const auto load = [&](int64_t i)
                        HWY_ATTR { return whole ? hn::LoadU(d, x + i * pitch) : LoadPart(d, x + i * pitch, count); };
  const V share = hn::Set(d, T{1} / static_cast<T>(n));
  V mean = hn::Zero(d);
  for (int64_t i = 0; i < n; ++i) mean = hn::Add(mean, load(i));
  mean = hn::Mul(mean, share);
  const V difference = hn::Sub(mean, mean);
  if (!hn::AllTrue(d, hn::Eq(difference, hn::Zero(d)))) {
    for (size_t c = 0; c < count; ++c) wide_center(x + c, n, pitch, y + c);
    return;
  }
  V rest = hn::Zero(d);
  for (int64_t i = 0; i < n; ++i) rest = hn::Add(rest, hn::Sub(load(i), mean));
  rest = hn::Mul(rest, share);
  for (int64_t i = 0; i < n; ++i) {
    const V v = hn::Sub(hn::Sub(load(i), mean), rest);
    if (whole) {
      hn::StoreU(v, d, y + i * pitch);
    } else {
      StorePart(d, v, y + i * pitch, count);
    }
  }
}

/// Four vectors of columns, read together.
template <class D, class T>
HWY_INLINE void CenterFourColumns(D d, const T* x, int64_t n, int64_t pitch, T* y) {
  using V = hn::Vec<D>;
  const size_t lanes = hn::Lanes(d);
  const V zero = hn::Zero(d);
  const V share = hn::Set(d, T{1} / static_cast<T>(n));
  V m0 = zero, m1 = zero, m2 = zero, m3 = zero;
  for (int64_t i = 0; i < n; ++i) {
    const T* row = x + i * pitch;
    m0 = hn::Add(m0, hn::LoadU(d, row));
    m1 = hn::Add(m1, hn::LoadU(d, row + lanes));
    m2 = hn::Add(m2, hn::LoadU(d, row + 2 * lanes));
    m3 = hn::Add(m3, hn::LoadU(d, row + 3 * lanes));
  }
  m0 = hn::Mul(m0, share), m1 = hn::Mul(m1, share), m2 = hn::Mul(m2, share), m3 = hn::Mul(m3, share);
  const V sum = hn::Add(hn::Sub(m0, m0), hn::Add(hn::Sub(m1, m1), hn::Add(hn::Sub(m2, m2), hn::Sub(m3, m3))));
  if (!hn::AllTrue(d, hn::Eq(sum, zero))) {
    for (size_t k = 0; k < 4; ++k) CenterColumns(d, x + k * lanes, n, pitch, lanes, y + k * lanes);
    return;
  }
  V r0 = zero, r1 = zero, r2 = zero, r3 = zero;
  for (int64_t i = 0; i < n; ++i) {
    const T* row = x + i * pitch;
    r0 = hn::Add(r0, hn::Sub(hn::LoadU(d, row), m0));
    r1 = hn::Add(r1, hn::Sub(hn::LoadU(d, row + lanes), m1));
    r2 = hn::Add(r2, hn::Sub(hn::LoadU(d, row + 2 * lanes), m2));
    r3 = hn::Add(r3, hn::Sub(hn::LoadU(d, row + 3 * lanes), m3));
  }
  r0 = hn::Mul(r0, share), r1 = hn::Mul(r1, share), r2 = hn::Mul(r2, share), r3 = hn::Mul(r3, share);
  for (int64_t i = 0; i < n; ++i) {
    const T* row = x + i * pitch;
    T* to = y + i * pitch;
    hn::StoreU(hn::Sub(hn::Sub(hn::LoadU(d, row), m0), r0), d, to);
    hn::StoreU(hn::Sub(hn::Sub(hn::LoadU(d, row + lanes), m1), r1), d, to + lanes);
    hn::StoreU(hn::Sub(hn::Sub(hn::LoadU(d, row + 2 * lanes), m2), r2), d, to + 2 * lanes);
    hn::StoreU(hn::Sub(hn::Sub(hn::LoadU(d, row + 3 * lanes), m3), r3), d, to + 3 * lanes);
  }
}

template <class T>
void CenterCols(const T* x, int64_t n, int64_t pitch, int64_t cols, T* y) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + 4 * lanes <= cols; c += 4 * lanes) CenterFourColumns(d, x + c, n, pitch, y + c);
  for (; c < cols; c += lanes) {
    CenterColumns(d, x + c, n, pitch, static_cast<size_t>(HWY_MIN(lanes, cols - c)), y + c);
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void variance_rows(const T* x, int64_t rows, int64_t n, double divisor, bool root, T* y) {
  GRADUS_SIMD(VarianceRows<T>)(x, rows, n, divisor, root, y);
}

template <class T>
void center_rows(const T* x, int64_t rows, int64_t n, T* y) {
  GRADUS_SIMD(CenterRows<T>)(x, rows, n, y);
}

template <class T>
void center_cols(const T* x, int64_t n, int64_t pitch, int64_t cols, T* y) {
  GRADUS_SIMD(CenterCols<T>)(x, n, pitch, cols, y);
}

GRADUS_FLOAT_AND_DOUBLE(variance_rows)
GRADUS_FLOAT_AND_DOUBLE(center_rows)
GRADUS_FLOAT_AND_DOUBLE(center_cols)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

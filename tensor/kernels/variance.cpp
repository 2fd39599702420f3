// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/variance.cpp"
#include <cmath>

#include <gradus/tensor/kernels/elementwise-inl.hpp>
#include <gradus/tensor/kernels/reduce-inl.hpp>
#include <gradus/tensor/kernels/variance.hpp>
#include <gradus/tensor/kernels/wide.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// x[i] - mean, or its square.
template <class T, bool kSquared>
struct Centred {
  const T* x;
  T mean;

  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    const auto v = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean));
    return kSquared ? hn::Mul(v, v) : v;
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    const auto v = hn::Sub(LoadPart(d, x + i, count), hn::Set(d, mean));
    return hn::IfThenElseZero(hn::FirstN(d, count), kSquared ? hn::Mul(v, v) : v);
  }
};

template <class T>
void VarianceRows(const T* x, int64_t rows, int64_t n, double divisor, bool root, T* y) {
  const hn::ScalableTag<T> d;
  const auto count = static_cast<size_t>(n);
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * n;
    const T mean = SumLanes(d, SumTerms(d, count, PlainTerms<T>{row})) / static_cast<T>(n);
    const T squares = SumLanes(d, SumTerms(d, count, Centred<T, true>{row, mean}));
    // What the rounded mean leaves: with c = mean - true mean, squares is too large by n c^2, and rest = -n c.
    const T rest = SumLanes(d, SumTerms(d, count, Centred<T, false>{row, mean}));
    const T total = squares - rest * rest / static_cast<T>(n);
    // A variance that is too small for T is 0, but its root need not be.
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
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Sub(x, hn::Set(d, mean));
  }
};

template <class T>
void CenterRows(const T* x, int64_t rows, int64_t n, T* y) {
  const hn::ScalableTag<T> d;
  const auto count = static_cast<size_t>(n);
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const T mean = SumLanes(d, SumTerms(d, count, PlainTerms<T>{x})) / static_cast<T>(n);
    if (!(mean - mean == 0)) {
      wide_center(x, n, y);
      continue;
    }
    MapUnary(MinusOp<T>{mean}, x, y, n);
    const T rest = SumLanes(d, SumTerms(d, count, PlainTerms<T>{y})) / static_cast<T>(n);
    MapUnary(MinusOp<T>{rest}, y, y, n);
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

template void variance_rows<float>(const float*, int64_t, int64_t, double, bool, float*);
template void variance_rows<double>(const double*, int64_t, int64_t, double, bool, double*);
template void center_rows<float>(const float*, int64_t, int64_t, float*);
template void center_rows<double>(const double*, int64_t, int64_t, double*);

}  // namespace gradus::kernels
#endif  // HWY_ONCE

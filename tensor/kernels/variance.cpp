// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/variance.cpp"
#include <gradus/tensor/kernels/reduce-inl.hpp>
#include <gradus/tensor/kernels/variance.hpp>

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
void VarianceRows(const T* x, int64_t rows, int64_t n, double divisor, T* y) {
  const hn::ScalableTag<T> d;
  const auto count = static_cast<size_t>(n);
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * n;
    const T mean = SumLanes(d, SumTerms(d, count, PlainTerms<T>{row})) / static_cast<T>(n);
    const T squares = SumLanes(d, SumTerms(d, count, Centred<T, true>{row, mean}));
    // What the rounded mean leaves: with c = mean - true mean, squares is too large by n c^2, and rest = -n c.
    const T rest = SumLanes(d, SumTerms(d, count, Centred<T, false>{row, mean}));
    const T total = squares - rest * rest / static_cast<T>(n);
    y[r] = total < T{0} ? T{0} : total / static_cast<T>(divisor);
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void variance_rows(const T* x, int64_t rows, int64_t n, double divisor, T* y) {
  GRADUS_SIMD(VarianceRows<T>)(x, rows, n, divisor, y);
}

template void variance_rows<float>(const float*, int64_t, int64_t, double, float*);
template void variance_rows<double>(const double*, int64_t, int64_t, double, double*);

}  // namespace gradus::kernels
#endif  // HWY_ONCE

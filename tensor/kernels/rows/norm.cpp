// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/rows/norm.cpp"
#include <cmath>

#include <gradus/tensor/kernels/reduce/reduce-inl.hpp>
#include <gradus/tensor/kernels/reduce/wide.hpp>
#include <gradus/tensor/kernels/rows/norm.hpp>
#include <gradus/tensor/kernels/simd/unit_vectors-inl.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// (x - mean)^2.
template <class T>
struct DeviationTerms {
  const T* x;
  T mean;
  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    const auto c = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean));
    return hn::Mul(c, c);
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    const auto c = hn::Sub(LoadPart(d, x + i, count), hn::Set(d, mean));
    return hn::IfThenElseZero(hn::FirstN(d, count), hn::Mul(c, c));
  }
};

template <class T>
void NormRows(const T* x, const T* weight, const T* bias, double eps, T* y, T* mean, T* rstd, int64_t rows, int64_t n) {
  const hn::ScalableTag<T> d;
  const size_t count = static_cast<size_t>(n);
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    T center = 0;
    if (mean != nullptr) mean[r] = center = SumLanes(d, SumTerms(d, count, PlainTerms<T>{x})) / static_cast<T>(n);
    const T variance = SumLanes(d, SumTerms(d, count, DeviationTerms<T>{x, center})) / static_cast<T>(n);
    if (!squares_in_range(variance + static_cast<T>(eps))) {
      wide_norm_row(x, weight, bias, eps, y, mean != nullptr ? mean + r : nullptr, rstd + r, n);
      continue;
    }
    rstd[r] = T{1} / std::sqrt(variance + static_cast<T>(eps));
    const auto m = hn::Set(d, center);
    const auto scale = hn::Set(d, rstd[r]);
    ForUnits(d, n, [&](auto io, int64_t j) HWY_ATTR {
      auto v = hn::Mul(hn::Sub(io.load(x + j), m), scale);
      if (weight != nullptr) v = hn::Mul(v, io.load(weight + j));
      if (bias != nullptr) v = hn::Add(v, io.load(bias + j));
      io.store(v, y + j);
    });
  }
}

/// h = g weight.
template <class T>
struct WeightedTerms {
  const T* g;
  const T* weight;
  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    const auto v = hn::LoadU(d, g + i);
    return weight == nullptr ? v : hn::Mul(v, hn::LoadU(d, weight + i));
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    const auto v = LoadPart(d, g + i, count);
    return weight == nullptr ? v : hn::Mul(v, LoadPart(d, weight + i, count));
  }
};

/// h (x - mean).
template <class T>
struct WeightedDeviationTerms {
  WeightedTerms<T> h;
  const T* x;
  T mean;
  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    return hn::Mul(h.Whole(d, i), hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean)));
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    return hn::Mul(h.Part(d, i, count), hn::Sub(LoadPart(d, x + i, count), hn::Set(d, mean)));
  }
};

template <class T>
void NormBackwardRows(const T* x, const T* weight, const T* g, const T* mean, const T* rstd, double eps, T* dx,
                      T* dweight, int64_t rows, int64_t n) {
  const hn::ScalableTag<T> d;
  const size_t count = static_cast<size_t>(n);
  if (dweight != nullptr) {
    for (int64_t j = 0; j < n; ++j) dweight[j] = 0;
  }
  for (int64_t r = 0; r < rows; ++r, x += n, g += n, dx += n) {
    if (!squares_in_range(rstd[r] * rstd[r])) {
      wide_norm_backward_row(x, weight, g, mean != nullptr, eps, dx, dweight, n);
      continue;
    }
    const T center = mean != nullptr ? mean[r] : T{0};
    const WeightedTerms<T> terms{g, weight};
    const T sum = mean != nullptr ? SumLanes(d, SumTerms(d, count, terms)) : T{0};
    const T dot = SumLanes(d, SumTerms(d, count, WeightedDeviationTerms<T>{terms, x, center})) * rstd[r];
    const auto m = hn::Set(d, center);
    const auto scale = hn::Set(d, rstd[r]);
    const auto mean_h = hn::Set(d, sum / static_cast<T>(n));
    const auto mean_hz = hn::Set(d, dot / static_cast<T>(n));
    ForUnits(d, n, [&](auto io, int64_t j) HWY_ATTR {
      const auto z = hn::Mul(hn::Sub(io.load(x + j), m), scale);
      const auto cotangent = io.load(g + j);
      const auto h = weight == nullptr ? cotangent : hn::Mul(cotangent, io.load(weight + j));
      io.store(hn::Mul(scale, hn::Sub(hn::Sub(h, mean_h), hn::Mul(z, mean_hz))), dx + j);
      if (dweight != nullptr) io.store(hn::Add(io.load(dweight + j), hn::Mul(cotangent, z)), dweight + j);
    });
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void norm_rows(const T* x, const T* weight, const T* bias, double eps, T* y, T* mean, T* rstd, int64_t rows,
               int64_t n) {
  GRADUS_SIMD(NormRows<T>)(x, weight, bias, eps, y, mean, rstd, rows, n);
}

template <class T>
void norm_backward_rows(const T* x, const T* weight, const T* g, const T* mean, const T* rstd, double eps, T* dx,
                        T* dweight, int64_t rows, int64_t n) {
  GRADUS_SIMD(NormBackwardRows<T>)(x, weight, g, mean, rstd, eps, dx, dweight, rows, n);
}

template void norm_rows<float>(const float*, const float*, const float*, double, float*, float*, float*, int64_t,
                               int64_t);
template void norm_rows<double>(const double*, const double*, const double*, double, double*, double*, double*, int64_t,
                                int64_t);
template void norm_backward_rows<float>(const float*, const float*, const float*, const float*, const float*, double,
                                        float*, float*, int64_t, int64_t);
template void norm_backward_rows<double>(const double*, const double*, const double*, const double*, const double*,
                                         double, double*, double*, int64_t, int64_t);

}  // namespace gradus::kernels
#endif  // HWY_ONCE

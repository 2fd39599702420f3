// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/cross_entropy.cpp"
#include <gradus/tensor/kernels/elementwise-inl.hpp>
#include <gradus/tensor/kernels/softmax-inl.hpp>
#include <gradus/tensor/kernels/softmax.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
void CrossEntropy(const T* x, const int64_t* target, int64_t ignored, T* loss, T* lse, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, x += n) {
    const LogSumExp<T> row = RowLogSumExp(x, static_cast<size_t>(n));
    lse[r] = row.shift + row.log_sum;
    // Not lse - x: that would lose what a large common part of x has already rounded away.
    loss[r] = target[r] == ignored ? T{0} : (row.shift - x[target[r]]) + row.log_sum;
  }
}

/// e^(x - lse) g.
template <class T>
struct ProbabilityTimesOp {
  T lse;
  T g;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Mul(Exp(d, hn::Sub(x, hn::Set(d, lse))), hn::Set(d, g));
  }
};

template <class T>
void CrossEntropyBackward(const T* x, const T* lse, const int64_t* target, int64_t ignored, const T* g,
                          int64_t g_stride, T* dx, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, x += n, dx += n) {
    const T weight = g[r * g_stride];
    if (target[r] == ignored) {
      for (int64_t i = 0; i < n; ++i) dx[i] = T{0};
    } else {
      const T at_target = x[target[r]];
      MapUnary(ProbabilityTimesOp<T>{lse[r], weight}, x, dx, n);
      // p - 1 by expm1, for a target that is all but certain.
      const hn::ScalableTag<T> d;
      dx[target[r]] = hn::GetLane(Expm1(d, hn::Set(d, at_target - lse[r]))) * weight;
    }
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void cross_entropy_rows(const T* x, const int64_t* target, int64_t ignored, T* loss, T* lse, int64_t rows, int64_t n) {
  GRADUS_SIMD(CrossEntropy<T>)(x, target, ignored, loss, lse, rows, n);
}

template <class T>
void cross_entropy_backward_rows(const T* x, const T* lse, const int64_t* target, int64_t ignored, const T* g,
                                 int64_t g_stride, T* dx, int64_t rows, int64_t n) {
  GRADUS_SIMD(CrossEntropyBackward<T>)(x, lse, target, ignored, g, g_stride, dx, rows, n);
}

template void cross_entropy_rows<float>(const float*, const int64_t*, int64_t, float*, float*, int64_t, int64_t);
template void cross_entropy_rows<double>(const double*, const int64_t*, int64_t, double*, double*, int64_t, int64_t);
template void cross_entropy_backward_rows<float>(const float*, const float*, const int64_t*, int64_t, const float*,
                                                 int64_t, float*, int64_t, int64_t);
template void cross_entropy_backward_rows<double>(const double*, const double*, const int64_t*, int64_t, const double*,
                                                  int64_t, double*, int64_t, int64_t);

}  // namespace gradus::kernels
#endif  // HWY_ONCE

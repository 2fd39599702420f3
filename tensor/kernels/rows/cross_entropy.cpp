// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/rows/cross_entropy.cpp"
#include <gradus/tensor/kernels/elementwise/elementwise-inl.hpp>
#include <gradus/tensor/kernels/rows/softmax-inl.hpp>
#include <gradus/tensor/kernels/rows/softmax.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// shift - x.
template <class T>
struct BelowTerms {
  const T* x;
  T shift;
  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    return hn::Sub(hn::Set(d, shift), hn::LoadU(d, x + i));
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    return hn::IfThenElseZero(hn::FirstN(d, count), hn::Sub(hn::Set(d, shift), LoadPart(d, x + i, count)));
  }
};

template <class T>
void CrossEntropy(const T* x, const int64_t* target, int64_t ignored, T* loss, T* lse, int64_t rows, int64_t n,
                  double smoothing) {
  const T spread = static_cast<T>(smoothing);
  for (int64_t r = 0; r < rows; ++r, x += n) {
    const LogSumExp<T> row = RowLogSumExp(x, static_cast<size_t>(n));
    lse[2 * r] = row.shift;
    lse[2 * r + 1] = row.log_sum;
    // Not (shift + log_sum) - x: the sum has rounded away what x and the shift differ by.
    loss[r] = target[r] == ignored ? T{0} : (row.shift - x[target[r]]) + row.log_sum;
    // Apart, so that without smoothing a logit of -infinity stays without effect. An infinite loss stays one.
    if (spread > 0 && target[r] != ignored && loss[r] - loss[r] == 0) {
      const hn::ScalableTag<T> d;
      const T below = SumLanes(d, SumTerms(d, static_cast<size_t>(n), BelowTerms<T>{x, row.shift})) / static_cast<T>(n);
      loss[r] += spread * ((below + row.log_sum) - loss[r]);
    }
  }
}

/// (e^(x - lse) - share) g. The two parts of lse are taken off one by one, as in LogSoftmaxOp.
template <class T>
struct ProbabilityTimesOp {
  LogSumExp<T> lse;
  T g;
  T share;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Mul(hn::Sub(Exp(d, LogSoftmaxOp<T>{lse}(d, x)), hn::Set(d, share)), hn::Set(d, g));
  }
};

template <class T>
void CrossEntropyBackward(const T* x, const T* lse, const int64_t* target, int64_t ignored, const T* g,
                          int64_t g_stride, T* dx, int64_t rows, int64_t n, double smoothing) {
  const T share = static_cast<T>(smoothing / static_cast<double>(n));
  for (int64_t r = 0; r < rows; ++r, x += n, dx += n) {
    const T weight = g[r * g_stride];
    if (target[r] == ignored) {
      for (int64_t i = 0; i < n; ++i) dx[i] = T{0};
    } else {
      const T at_target = x[target[r]];
      const LogSumExp<T> row{lse[2 * r], lse[2 * r + 1]};
      MapUnary(ProbabilityTimesOp<T>{row, weight, share}, x, dx, n);
      // p - 1 by expm1, for a target that is all but certain.
      const hn::ScalableTag<T> d;
      const T beyond = hn::GetLane(Expm1(d, hn::Set(d, (at_target - row.shift) - row.log_sum)));
      dx[target[r]] = (beyond + (static_cast<T>(smoothing) - share)) * weight;
    }
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void cross_entropy_rows(const T* x, const int64_t* target, int64_t ignored, T* loss, T* lse, int64_t rows, int64_t n,
                        double smoothing) {
  GRADUS_SIMD(CrossEntropy<T>)(x, target, ignored, loss, lse, rows, n, smoothing);
}

template <class T>
void cross_entropy_backward_rows(const T* x, const T* lse, const int64_t* target, int64_t ignored, const T* g,
                                 int64_t g_stride, T* dx, int64_t rows, int64_t n, double smoothing) {
  GRADUS_SIMD(CrossEntropyBackward<T>)(x, lse, target, ignored, g, g_stride, dx, rows, n, smoothing);
}

template void cross_entropy_rows<float>(const float*, const int64_t*, int64_t, float*, float*, int64_t, int64_t,
                                        double);
template void cross_entropy_rows<double>(const double*, const int64_t*, int64_t, double*, double*, int64_t, int64_t,
                                         double);
template void cross_entropy_backward_rows<float>(const float*, const float*, const int64_t*, int64_t, const float*,
                                                 int64_t, float*, int64_t, int64_t, double);
template void cross_entropy_backward_rows<double>(const double*, const double*, const int64_t*, int64_t, const double*,
                                                  int64_t, double*, int64_t, int64_t, double);

}  // namespace gradus::kernels
#endif  // HWY_ONCE

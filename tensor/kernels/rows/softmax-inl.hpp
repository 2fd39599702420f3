// SPDX-License-Identifier: MIT

// One row of softmax, for kernels that need it: the maximum, the exponentials and their sum, the logarithm of the sum.

#include <gradus/tensor/kernels/elementwise/elementwise-inl.hpp>
#include <gradus/tensor/kernels/reduce/reduce-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_exp-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_log-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_SOFTMAX_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_SOFTMAX_INL
#undef GRADUS_TENSOR_KERNELS_SOFTMAX_INL
#else
#define GRADUS_TENSOR_KERNELS_SOFTMAX_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// e^(x - shift). Also writes it to y unless y is null.
template <class T>
struct ExpTerms {
  const T* x;
  T shift;
  T* y;
  template <class IO>
  HWY_INLINE auto operator()(const IO& io, int64_t i) const {
    const auto e = Exp(io.d, hn::Sub(io.load(x + i), hn::Set(io.d, shift)));
    if (y != nullptr) io.store(e, y + i);
    return io.within(e);
  }
};

template <class T>
HWY_INLINE T RowMax(const T* x, int64_t n) {
  const T lowest = -InfinityOf<T>();
  return ExtremeOf(MaxLanes(), hn::ScalableTag<T>(), n, ExtremeTerms<T>{x, lowest}, lowest);
}

/// The largest x, or 0 where that is infinite or NaN; then exp and log give the right infinities and NaN.
template <class T>
HWY_INLINE T RowShift(const T* x, int64_t n) {
  const T largest = RowMax(x, n);
  return largest - largest == 0 ? largest : T{0};
}

/// log sum e^x = shift + log_sum, with the shift from RowShift.
template <class T>
struct LogSumExp {
  T shift;
  T log_sum;
};

template <class T>
HWY_INLINE LogSumExp<T> RowLogSumExp(const T* x, int64_t n) {
  const hn::ScalableTag<T> d;
  const T shift = RowShift(x, n);
  return {shift, hn::GetLane(Log(d, hn::Set(d, SumOf(d, n, ExpTerms<T>{x, shift, nullptr}))))};
}

/// (x - shift) - log_sum: in two steps, so that a large common part of x loses no accuracy.
template <class T>
struct LogSoftmaxOp {
  LogSumExp<T> lse;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Sub(hn::Sub(x, hn::Set(d, lse.shift)), hn::Set(d, lse.log_sum));
  }
};

struct MulOp {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Mul(a, b);
  }
};

/// y *= factor.
template <class T>
HWY_INLINE void ScaleRow(T* y, T factor, int64_t n) {
  MapBinary(MulOp(), ArrayOperand<T>{y}, OneOperand<T>{factor}, y, n);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

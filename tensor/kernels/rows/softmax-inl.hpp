// SPDX-License-Identifier: MIT

// One row of softmax, for kernels that need it: the maximum, the exponentials and their sum, the logarithm of the sum.

#include <gradus/tensor/kernels/reduce/reduce-inl.hpp>
#include <gradus/tensor/kernels/simd/mask_bytes-inl.hpp>
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

/// e^(x - shift), also written to y unless that is null.
template <class T>
struct ExpTerms {
  const T* x;
  T shift;
  T* y;

  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    const auto e = Exp(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, shift)));
    if (y != nullptr) hn::StoreU(e, d, y + i);
    return e;
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    const auto e = Exp(d, hn::Sub(LoadPart(d, x + i, count), hn::Set(d, shift)));
    if (y != nullptr) StorePart(d, e, y + i, count);
    return hn::IfThenElseZero(hn::FirstN(d, count), e);
  }
};

/// The same with exact 0 where keep is 0.
template <class T>
struct MaskedExpTerms {
  const T* x;
  const uint8_t* keep;
  T shift;
  T* y;

  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    const auto e = Exp(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, shift)));
    const auto kept = hn::IfThenElseZero(LoadMask(d, keep + i), e);
    hn::StoreU(kept, d, y + i);
    return kept;
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    const auto e = Exp(d, hn::Sub(LoadPart(d, x + i, count), hn::Set(d, shift)));
    const auto kept = hn::IfThenElseZero(LoadMaskPart(d, keep + i, count), e);
    StorePart(d, kept, y + i, count);
    return kept;
  }
};

/// x where keep is not 0, else -infinity.
template <class T>
struct MaskedMaxTerms {
  const T* x;
  const uint8_t* keep;

  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    return hn::IfThenElse(LoadMask(d, keep + i), hn::LoadU(d, x + i), hn::Neg(hn::Inf(d)));
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    return hn::IfThenElse(LoadMaskPart(d, keep + i, count), LoadPart(d, x + i, count), hn::Neg(hn::Inf(d)));
  }
};

template <class T>
HWY_INLINE T RowMax(const T* x, size_t n) {
  const T lowest = -InfinityOf<T>();
  return ExtremeOf(MaxLanes(), hn::ScalableTag<T>(), n, ExtremeTerms<T>{x, lowest}, lowest);
}

/// log s for one positive number.
template <class T>
HWY_INLINE T LogOf(T s) {
  const hn::ScalableTag<T> d;
  return hn::GetLane(Log(d, hn::Set(d, s)));
}

/// log sum e^x = shift + log_sum. `shift` is the largest x, or 0 where that is infinite or NaN, which leaves the rules
/// for infinities and NaN to exp and log.
template <class T>
struct LogSumExp {
  T shift;
  T log_sum;
};

template <class T>
HWY_INLINE LogSumExp<T> RowLogSumExp(const T* x, size_t n) {
  const hn::ScalableTag<T> d;
  const T largest = RowMax(x, n);
  const T shift = largest - largest == 0 ? largest : T{0};
  return {shift, LogOf(SumLanes(d, SumTerms(d, n, ExpTerms<T>{x, shift, nullptr})))};
}

/// (x - shift) - log_sum: two steps, so that a large common part of x costs no accuracy.
template <class T>
struct LogSoftmaxOp {
  LogSumExp<T> lse;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Sub(hn::Sub(x, hn::Set(d, lse.shift)), hn::Set(d, lse.log_sum));
  }
};

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

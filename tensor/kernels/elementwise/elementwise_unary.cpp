// SPDX-License-Identifier: MIT
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/elementwise/elementwise_unary.cpp"
#include <gradus/tensor/kernels/elementwise/elementwise-inl.hpp>
#include <gradus/tensor/kernels/elementwise/elementwise.hpp>
#include <gradus/tensor/kernels/simd/simd_math-inl.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// The nearest integer; halves go to the even one. Adding 2^p rounds to an integer, where p is the number of stored
/// mantissa bits. Larger numbers are integers already; infinities and NaN are unchanged. (Highway's one-lane Round
/// rounds the largest number below 0.5 up.)
template <class D, class V>
HWY_INLINE V RoundToEven(D d, V x) {
  const V big = hn::Set(d, LogConstants<hn::TFromD<D>>::kInteger);
  const V y = hn::Abs(x);
  return hn::CopySign(hn::IfThenElse(hn::Lt(y, big), hn::Sub(hn::Add(y, big), big), y), x);
}

template <class D, class V>
HWY_INLINE V RoundDown(D d, V x) {
  const V r = RoundToEven(d, x);
  return hn::IfThenElse(hn::Gt(r, x), hn::Sub(r, hn::Set(d, hn::TFromD<D>{1})), r);
}

template <UnaryFn kFn>
struct UnaryOp {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    using T = hn::TFromD<D>;
    [[maybe_unused]] const V zero = hn::Zero(d);
    [[maybe_unused]] const V one = hn::Set(d, T{1});
    if constexpr (kFn == UnaryFn::neg) return hn::Neg(x);
    if constexpr (kFn == UnaryFn::abs) return hn::Abs(x);
    if constexpr (kFn == UnaryFn::sign) {
      return hn::IfThenElse(hn::Gt(x, zero), one, hn::IfThenElse(hn::Lt(x, zero), hn::Neg(one), x));
    }
    if constexpr (kFn == UnaryFn::square) return hn::Mul(x, x);
    if constexpr (kFn == UnaryFn::sqrt) return hn::Sqrt(x);
    if constexpr (kFn == UnaryFn::rsqrt) return hn::Div(one, hn::Sqrt(x));
    if constexpr (kFn == UnaryFn::reciprocal) return hn::Div(one, x);
    if constexpr (kFn == UnaryFn::exp) return Exp(d, x);
    if constexpr (kFn == UnaryFn::expm1) return Expm1(d, x);
    if constexpr (kFn == UnaryFn::log) return Log(d, x);
    if constexpr (kFn == UnaryFn::log1p) return Log1p(d, x);
    if constexpr (kFn == UnaryFn::tanh) return Tanh(d, x);
    if constexpr (kFn == UnaryFn::sigmoid) return Sigmoid(d, x);
    // NaN <= 0 is false, so NaN stays NaN.
    if constexpr (kFn == UnaryFn::relu) return hn::IfThenZeroElse(hn::Le(x, zero), x);
    if constexpr (kFn == UnaryFn::sin) return Sin(d, x);
    if constexpr (kFn == UnaryFn::cos) return Cos(d, x);
    if constexpr (kFn == UnaryFn::erf) return Erf(d, x);
    if constexpr (kFn == UnaryFn::floor) return RoundDown(d, x);
    if constexpr (kFn == UnaryFn::ceil) return hn::Neg(RoundDown(d, hn::Neg(x)));
    if constexpr (kFn == UnaryFn::round) return RoundToEven(d, x);
  }
};

template <UnaryFn kFn, class T>
HWY_NOINLINE void RunUnary(const T* x, T* y, int64_t n) {
  MapUnary(UnaryOp<kFn>(), x, y, n);
}

template <class T, size_t... kFns>
void UnaryBy(UnaryFn fn, const T* x, T* y, int64_t n, std::index_sequence<kFns...>) {
  static constexpr decltype(&RunUnary<UnaryFn::neg, T>) kLoops[] = {RunUnary<static_cast<UnaryFn>(kFns), T>...};
  kLoops[static_cast<size_t>(fn)](x, y, n);
}

template <class T>
void Unary(UnaryFn fn, const T* x, T* y, int64_t n) {
  UnaryBy(fn, x, y, n, std::make_index_sequence<static_cast<size_t>(UnaryFn::round) + 1>());
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void unary(UnaryFn fn, const T* x, T* y, int64_t n) {
  GRADUS_SIMD(Unary<T>)(fn, x, y, n);
}

GRADUS_FLOAT_AND_DOUBLE(unary)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

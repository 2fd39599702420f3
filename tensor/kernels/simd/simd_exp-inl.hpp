// SPDX-License-Identifier: MIT

// exp, expm1, tanh and sigmoid for any vector of float or double. All use one argument reduction and one polynomial:
//   x = n ln2 + r, n an integer, |r| <= ln2 / 2;   e^r = 1 + r + r^2 P(r)
// P is a minimax polynomial (Remez, weighted by the relative error of e^r): 3.2e-9 in f32, 3.9e-18 in f64.

#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_SIMD_EXP_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_SIMD_EXP_INL
#undef GRADUS_TENSOR_KERNELS_SIMD_EXP_INL
#else
#define GRADUS_TENSOR_KERNELS_SIMD_EXP_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
  static constexpr float kLog2e = 1.44269502f;
  // ln2 in two parts. The first part has so few bits that n times it is exact without FMA.
  static constexpr float kLn2Hi = 0.693115234375f;
  static constexpr float kLn2Lo = 3.19461833e-05f;
  // Adding 1.5 * 2^23 rounds to an integer and puts it into the low bits.
  static constexpr float kRound = 12582912.0f;
  static constexpr int kMantissaBits = 23;
  static constexpr int kBias = 127;
  // exp is 0 below kLowest and infinite above kHighest; tanh is 1 above kTanhOne; expm1 is -1 below kExpm1Lowest.
  static constexpr float kLowest = -104.0f;
  static constexpr float kHighest = 89.0f;
  static constexpr float kTanhOne = 9.1f;
  static constexpr float kExpm1Lowest = -18.0f;
  // -127 ln2: ExpOfNegative is 0 here.
  static constexpr float kPowerIsZero = -88.02969f;
  // Where expm1(x) = x to the last bit.
  static constexpr float kTiny = 2.9e-08f;
  static constexpr float kP[] = {0.4999999403953552f, 0.166665181517601f, 0.041668422520160675f, 0.008369063027203083f,
                                 0.0013813882833346725f};
};

template <>
struct ExpConstants<double> {
  static constexpr double kLog2e = 1.4426950408889634;
  static constexpr double kLn2Hi = 0x1.62e42fee00000p-1;
  static constexpr double kLn2Lo = 0x1.a39ef35793c76p-33;
  static constexpr double kRound = 6755399441055744.0;
  static constexpr int kMantissaBits = 52;
  static constexpr int kBias = 1023;
  static constexpr double kLowest = -746.0;
  static constexpr double kHighest = 710.0;
  static constexpr double kTanhOne = 19.1;
  static constexpr double kExpm1Lowest = -40.0;
  static constexpr double kPowerIsZero = -709.0895657128241;
  static constexpr double kTiny = 5.5e-17;
  static constexpr double kP[] = {0.5000000000000011,     0.166666666666664,      0.041666666666524806,
                                  0.00833333333350087,    0.0013888888945237496,  0.00019841269496617112,
                                  2.4801491259058127e-05, 2.7557591673847805e-06, 2.7630958561957717e-07,
                                  2.4999536495207377e-08};
};

/// c[0] + c[1] x + ... + c[kCount - 1] x^(kCount - 1), by Horner's rule.
template <class D, class V, class T, size_t kCount>
HWY_INLINE V Polynomial(D d, V x, const T (&c)[kCount]) {
  V sum = hn::Set(d, c[kCount - 1]);
  for (size_t i = kCount - 1; i-- > 0;) sum = hn::MulAdd(sum, x, hn::Set(d, c[i]));
  return sum;
}

/// min(x, bound), but NaN if x is NaN: x86 returns the second operand when one is NaN, other targets need the
/// comparison.
template <class D, class V>
HWY_INLINE V AtMost(D d, V x, hn::TFromD<D> bound) {
#if HWY_TARGET == HWY_SCALAR || !HWY_ARCH_X86
  return hn::IfThenElse(hn::Gt(x, hn::Set(d, bound)), hn::Set(d, bound), x);
#else
  return hn::Min(hn::Set(d, bound), x);
#endif
}

/// max(x, bound), but NaN if x is NaN.
template <class D, class V>
HWY_INLINE V AtLeast(D d, V x, hn::TFromD<D> bound) {
#if HWY_TARGET == HWY_SCALAR || !HWY_ARCH_X86
  return hn::IfThenElse(hn::Lt(x, hn::Set(d, bound)), hn::Set(d, bound), x);
#else
  return hn::Max(hn::Set(d, bound), x);
#endif
}

/// x = n ln2 + r, for |x| < 1100. `shifted` is n + kRound.
template <class V>
struct ExpReduction {
  V shifted;
  V n;
  V r;
};

template <class D, class V>
HWY_INLINE ExpReduction<V> ReduceExp(D d, V x) {
  using C = ExpConstants<hn::TFromD<D>>;
  const V round = hn::Set(d, C::kRound);
  const V shifted = hn::MulAdd(x, hn::Set(d, C::kLog2e), round);
  const V n = hn::Sub(shifted, round);
  V r = hn::NegMulAdd(n, hn::Set(d, C::kLn2Hi), x);
  r = hn::NegMulAdd(n, hn::Set(d, C::kLn2Lo), r);
  return {shifted, n, r};
}

/// 2^n for n within the exponents of normal numbers, from n + kRound.
template <class D, class V>
HWY_INLINE V PowerOfTwo(D d, V shifted) {
  using C = ExpConstants<hn::TFromD<D>>;
  const hn::RebindToUnsigned<D> du;
  // The shift removes all bits of kRound. What remains is n + bias, in the place of the exponent.
  const auto bits = hn::Add(hn::BitCast(du, shifted), hn::Set(du, C::kBias));
  return hn::BitCast(d, hn::ShiftLeft<C::kMantissaBits>(bits));
}

/// v 2^n, rounded once, also when the result is infinite, subnormal or 0.
template <class D, class V>
HWY_INLINE V ScalePow2([[maybe_unused]] D d, V v, const ExpReduction<V>& reduced) {
  using T = hn::TFromD<D>;
#if HWY_TARGET <= HWY_AVX3
  if constexpr (sizeof(V) == 64 && sizeof(T) == 4) {
    return V{_mm512_scalef_ps(v.raw, reduced.n.raw)};
  } else if constexpr (sizeof(V) == 64) {
    return V{_mm512_scalef_pd(v.raw, reduced.n.raw)};
  } else if constexpr (sizeof(V) == 32 && sizeof(T) == 4) {
    return V{_mm256_scalef_ps(v.raw, reduced.n.raw)};
  } else if constexpr (sizeof(V) == 32) {
    return V{_mm256_scalef_pd(v.raw, reduced.n.raw)};
  } else if constexpr (sizeof(T) == 4) {
    return V{_mm_scalef_ps(v.raw, reduced.n.raw)};
  } else {
    return V{_mm_scalef_pd(v.raw, reduced.n.raw)};
  }
#else
  using C = ExpConstants<T>;
  using TU = hwy::MakeUnsigned<T>;
  const hn::RebindToUnsigned<D> du;
  // Two factors 2^a 2^b with a + b = n, both normal numbers; only the second product can round.
  const auto sum = hn::Sub(hn::BitCast(du, reduced.shifted),
                           hn::Sub(hn::BitCast(du, hn::Set(d, C::kRound)), hn::Set(du, TU{2} * TU{C::kBias})));
  const auto half = hn::ShiftRight<1>(sum);
  const auto first = hn::ShiftLeft<C::kMantissaBits>(half);
  const auto second = hn::ShiftLeft<C::kMantissaBits>(hn::Sub(sum, half));
  return hn::Mul(hn::Mul(v, hn::BitCast(d, first)), hn::BitCast(d, second));
#endif
}

/// e^x for x within [kLowest, kHighest] or NaN.
template <class D, class V>
HWY_INLINE V ExpInRange(D d, V x) {
  using C = ExpConstants<hn::TFromD<D>>;
  const ExpReduction<V> reduced = ReduceExp(d, x);
  const V r = reduced.r;
  const V q = hn::MulAdd(hn::MulAdd(Polynomial(d, r, C::kP), r, hn::Set(d, 1)), r, hn::Set(d, 1));
  return ScalePow2(d, q, reduced);
}

/// e^x.
template <class D, class V>
HWY_INLINE V Exp(D d, V x) {
  using C = ExpConstants<hn::TFromD<D>>;
  return ExpInRange(d, AtLeast(d, AtMost(d, x, C::kHighest), C::kLowest));
}

/// e^x for x <= 0, small x > 0 or NaN, at less cost. Results below the smallest normal number are 0.
template <class D, class V>
HWY_INLINE V ExpOfNegative(D d, V x) {
  using C = ExpConstants<hn::TFromD<D>>;
  const ExpReduction<V> reduced = ReduceExp(d, AtLeast(d, x, C::kPowerIsZero));
  const V r = reduced.r;
  const V q = hn::MulAdd(hn::MulAdd(Polynomial(d, r, C::kP), r, hn::Set(d, 1)), r, hn::Set(d, 1));
  return hn::Mul(q, PowerOfTwo(d, reduced.shifted));
}

/// e^x - 1, accurate near 0: 2^n (e^r - 1) + (2^n - 1).
template <class D, class V>
HWY_INLINE V Expm1(D d, V x) {
  using C = ExpConstants<hn::TFromD<D>>;
  const ExpReduction<V> reduced = ReduceExp(d, AtLeast(d, AtMost(d, x, C::kHighest), C::kExpm1Lowest));
  const V r = reduced.r;
  const V expm1_r = hn::MulAdd(hn::Mul(r, r), Polynomial(d, r, C::kP), r);
  // 2^n alone overflows before the result does, so half of the result is computed and then doubled.
  const V half_scale = PowerOfTwo(d, hn::Sub(reduced.shifted, hn::Set(d, 1)));
  const V half = hn::MulAdd(half_scale, expm1_r, hn::Sub(half_scale, hn::Set(d, hn::TFromD<D>{0.5})));
  return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, C::kTiny)), x, hn::Add(half, half));
}

/// tanh(x) = sign(x) m / (m + 2), m = e^(2|x|) - 1.
template <class D, class V>
HWY_INLINE V Tanh(D d, V x) {
  using C = ExpConstants<hn::TFromD<D>>;
  const V y = AtMost(d, hn::Abs(x), C::kTanhOne);
  const ExpReduction<V> reduced = ReduceExp(d, hn::Add(y, y));
  const V r = reduced.r;
  const V expm1_r = hn::MulAdd(hn::Mul(r, r), Polynomial(d, r, C::kP), r);
  const V scale = PowerOfTwo(d, reduced.shifted);
  const V m = hn::MulAdd(scale, expm1_r, hn::Sub(scale, hn::Set(d, 1)));
  return hn::CopySign(hn::Div(m, hn::Add(m, hn::Set(d, 2))), x);
}

/// 1 / (1 + e^-x), written with e^-|x| so that it keeps its relative accuracy for very negative x.
template <class D, class V>
HWY_INLINE V Sigmoid(D d, V x) {
  using C = ExpConstants<hn::TFromD<D>>;
  const V e = ExpInRange(d, AtLeast(d, hn::Or(x, hn::SignBit(d)), C::kLowest));
  const V one = hn::Set(d, 1);
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

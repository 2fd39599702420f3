// SPDX-License-Identifier: MIT

// sin and cos for any vector of float or double: x = n pi/2 + r, |r| <= pi/4 (Cody and Waite), then
//   sin r = r + r z S(z),   cos r = 1 - z/2 + z^2 C(z),   z = r^2
// S and C are minimax polynomials (Remez). libm computes arguments that are too large for the reduction, lane by lane.

#include <cmath>

#include <gradus/tensor/kernels/simd/simd_exp-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_SIMD_TRIG_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_SIMD_TRIG_INL
#undef GRADUS_TENSOR_KERNELS_SIMD_TRIG_INL
#else
#define GRADUS_TENSOR_KERNELS_SIMD_TRIG_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
struct TrigConstants;

// kHalfPi: pi/2 in parts with so few bits that n times each part is exact without FMA up to kLargest.
template <>
struct TrigConstants<float> {
  static constexpr float kTwoByPi = 0.636619747f;
  static constexpr float kLargest = 12000.0f;
  static constexpr float kHalfPi[] = {0x1.9200000000000p+0f, 0x1.fb40000000000p-12f, 0x1.4440000000000p-24f,
                                      0x1.68c0000000000p-39f, 0x1.1a62640000000p-54f};
  static constexpr float kS[] = {-0.16666655242443085f, 0.008332164026796818f, -0.00019515368330758065f};
  static constexpr float kC[] = {0.04166664555668831f, -0.0013887296663597226f, 2.4430923076579347e-05f};
};

template <>
struct TrigConstants<double> {
  static constexpr double kTwoByPi = 0.6366197723675814;
  static constexpr double kLargest = 1600000.0;
  static constexpr double kHalfPi[] = {0x1.921fb54400000p+0, 0x1.0b4611a600000p-34, 0x1.3198a2e000000p-69,
                                       0x1.b839a252049c1p-104};
  static constexpr double kS[] = {-0.1666666666666663,  0.008333333333322094,   -0.0001984126982953984,
                                  2.75573135952393e-06, -2.505074244112343e-08, 1.5895858153202583e-10};
  static constexpr double kC[] = {0.04166666666666659,     -0.001388888888887257, 2.4801587288539535e-05,
                                  -2.7557314086957507e-07, 2.087568801243675e-09, -1.1357858549677845e-11};
};

enum class Trig { sin, cos };

/// sin or cos of |x| <= kLargest.
template <Trig kFn, class D, class V>
HWY_INLINE V TrigInRange(D d, V x) {
  using T = hn::TFromD<D>;
  using C = TrigConstants<T>;
  using E = ExpConstants<T>;
  const hn::RebindToUnsigned<D> du;
  using TU = hn::TFromD<decltype(du)>;
  const V round = hn::Set(d, E::kRound);
  const V shifted = hn::MulAdd(x, hn::Set(d, C::kTwoByPi), round);
  const V n = hn::Sub(shifted, round);
  V r = x;
  for (const T part : C::kHalfPi) r = hn::NegMulAdd(n, hn::Set(d, part), r);

  const V z = hn::Mul(r, r);
  const V sine = hn::MulAdd(hn::Mul(r, z), Polynomial(d, z, C::kS), r);
  const V cosine_tail = hn::MulAdd(z, Polynomial(d, z, C::kC), hn::Set(d, T{-0.5}));
  const V cosine = hn::MulAdd(z, cosine_tail, hn::Set(d, T{1}));

  // The low bits of `shifted` are the quadrant, because those of kRound are 0. cos x = sin (x + pi/2).
  const auto quadrant = hn::Add(hn::BitCast(du, shifted), hn::Set(du, TU{kFn == Trig::cos ? 1 : 0}));
  const auto is_odd = hn::Eq(hn::And(quadrant, hn::Set(du, TU{1})), hn::Set(du, TU{1}));
  const auto sign = hn::ShiftLeft<sizeof(T) * 8 - 1>(hn::ShiftRight<1>(quadrant));
  return hn::Xor(hn::IfThenElse(hn::RebindMask(d, is_odd), cosine, sine), hn::BitCast(d, sign));
}

/// Replaces the lanes of y where |x| > kLargest, or x is NaN, by libm's result.
template <Trig kFn, class D, class V>
HWY_NOINLINE V TrigLarge(D d, V x, V y) {
  using T = hn::TFromD<D>;
  constexpr size_t kLanes = HWY_MAX(hn::MaxLanes(D()), size_t{1});
  HWY_ALIGN T xs[kLanes];
  HWY_ALIGN T ys[kLanes];
  hn::Store(x, d, xs);
  hn::Store(y, d, ys);
  for (size_t i = 0; i < hn::Lanes(d); ++i) {
    if (!(std::fabs(xs[i]) <= TrigConstants<T>::kLargest)) ys[i] = kFn == Trig::sin ? std::sin(xs[i]) : std::cos(xs[i]);
  }
  return hn::Load(d, ys);
}

/// sin x.
template <class D, class V>
HWY_INLINE V Sin(D d, V x) {
  const auto in_range = hn::Le(hn::Abs(x), hn::Set(d, TrigConstants<hn::TFromD<D>>::kLargest));
  // The polynomial would lose the sign of -0.
  const V y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, TrigInRange<Trig::sin>(d, x));
  if (HWY_LIKELY(hn::AllTrue(d, in_range))) return y;
  return TrigLarge<Trig::sin>(d, x, y);
}

/// cos x.
template <class D, class V>
HWY_INLINE V Cos(D d, V x) {
  const auto in_range = hn::Le(hn::Abs(x), hn::Set(d, TrigConstants<hn::TFromD<D>>::kLargest));
  const V y = TrigInRange<Trig::cos>(d, x);
  if (HWY_LIKELY(hn::AllTrue(d, in_range))) return y;
  return TrigLarge<Trig::cos>(d, x, y);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

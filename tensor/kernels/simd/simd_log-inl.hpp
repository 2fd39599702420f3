// SPDX-License-Identifier: MIT

// log and log1p for any vector of float or double:
//   x = 2^k m, sqrt(1/2) <= m < sqrt(2), f = m - 1, s = f / (2 + f), z = s^2
//   log(1 + f) = f - (f^2/2 - s (f^2/2 + R)),   R = z P(z) ~ log((1+s)/(1-s))/s - 2
// P is a minimax polynomial (Remez): error of R 1.7e-9 in f32, 2.6e-18 in f64.

#include <gradus/tensor/kernels/simd/simd_exp-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_SIMD_LOG_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_SIMD_LOG_INL
#undef GRADUS_TENSOR_KERNELS_SIMD_LOG_INL
#else
#define GRADUS_TENSOR_KERNELS_SIMD_LOG_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
struct LogConstants;

template <>
struct LogConstants<float> {
  static constexpr uint32_t kOne = 0x3f800000u;
  static constexpr uint32_t kSqrtHalf = 0x3f3504f3u;
  static constexpr uint32_t kMantissa = 0x007fffffu;
  // 2^23: writing an integer into its mantissa bits (by or) adds that integer to it.
  static constexpr float kInteger = 8388608.0f;
  static constexpr float kMinNormal = 1.17549435e-38f;
  static constexpr float kP[] = {0.6666677594184875f, 0.39977264404296875f, 0.2987978756427765f};
};

template <>
struct LogConstants<double> {
  static constexpr uint64_t kOne = 0x3ff0000000000000u;
  static constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcdu;
  static constexpr uint64_t kMantissa = 0x000fffffffffffffu;
  static constexpr double kInteger = 4503599627370496.0;
  static constexpr double kMinNormal = 2.2250738585072014e-308;
  static constexpr double kP[] = {0.6666666666666737,  0.3999999999939307,  0.2857142874765848, 0.2222219798833918,
                                  0.18183596851216532, 0.15313167121310123, 0.14805275342822016};
};

/// log(x) + correction for normal x > 0; `offset` is added to the exponent of x.
template <class D, class V>
HWY_INLINE V LogNormal(D d, V x, V offset, V correction) {
  using C = LogConstants<hn::TFromD<D>>;
  using E = ExpConstants<hn::TFromD<D>>;
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::Add(hn::BitCast(du, x), hn::Set(du, C::kOne - C::kSqrtHalf));
  const auto exponent = hn::Or(hn::ShiftRight<E::kMantissaBits>(bits), hn::BitCast(du, hn::Set(d, C::kInteger)));
  const V bias = hn::Set(d, C::kInteger + hn::TFromD<D>{E::kBias});
  const V k = hn::Add(hn::Sub(hn::BitCast(d, exponent), bias), offset);
  const V m = hn::BitCast(d, hn::Add(hn::And(bits, hn::Set(du, C::kMantissa)), hn::Set(du, C::kSqrtHalf)));

  const V f = hn::Sub(m, hn::Set(d, 1));
  const V s = hn::Div(f, hn::Add(f, hn::Set(d, 2)));
  const V z = hn::Mul(s, s);
  const V half_f2 = hn::Mul(hn::Mul(f, f), hn::Set(d, hn::TFromD<D>{0.5}));
  const V tail = hn::Mul(s, hn::MulAdd(z, Polynomial(d, z, C::kP), half_f2));
  const V low = hn::Add(tail, hn::MulAdd(k, hn::Set(d, E::kLn2Lo), correction));
  return hn::MulAdd(k, hn::Set(d, E::kLn2Hi), hn::Sub(f, hn::Sub(half_f2, low)));
}

/// log(x) for x that is not positive and finite: -inf at 0, NaN for negative x, x for +inf and NaN.
template <class D, class V>
HWY_INLINE V LogSpecial(D d, V x) {
  const V below = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::NaN(d), x);
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(hn::Inf(d)), below);
}

template <class D, class V>
HWY_INLINE auto IsPositiveFinite(D d, V x) {
  return hn::And(hn::Gt(x, hn::Zero(d)), hn::Lt(x, hn::Inf(d)));
}

/// The natural logarithm.
template <class D, class V>
HWY_INLINE V Log(D d, V x) {
  using T = hn::TFromD<D>;
  using C = LogConstants<T>;
  using E = ExpConstants<T>;
  const auto subnormal = hn::Lt(x, hn::Set(d, C::kMinNormal));
  const V scaled = hn::IfThenElse(subnormal, hn::Mul(x, hn::Set(d, C::kInteger)), x);
  const V offset = hn::IfThenElseZero(subnormal, hn::Set(d, T{-E::kMantissaBits}));
  const V log = LogNormal(d, scaled, offset, hn::Zero(d));
  return hn::IfThenElse(IsPositiveFinite(d, x), log, LogSpecial(d, x));
}

/// log(1 + x), accurate near 0: log(u) + (x - (u - 1)) / u with u = 1 + x rounded.
template <class D, class V>
HWY_INLINE V Log1p(D d, V x) {
  const V u = hn::Add(x, hn::Set(d, 1));
  const V correction = hn::Div(hn::Sub(x, hn::Sub(u, hn::Set(d, 1))), u);
  const V log = LogNormal(d, u, hn::Zero(d), correction);
  return hn::CopySign(hn::IfThenElse(IsPositiveFinite(d, u), log, LogSpecial(d, u)), x);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

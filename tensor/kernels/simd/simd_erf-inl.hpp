// SPDX-License-Identifier: MIT

// erf for any vector of float or double:
//   |x| < 1:   erf x = x + x A(x^2)
//   otherwise: erf x = sign(x) (1 - e^(-x^2) B(w)),   w = (|x| - c) / (|x| + c)
// A and B are minimax polynomials (Remez), B weighted by e^(-x^2): errors 1.2e-9 and 3.6e-11 in f32, 1.3e-19 and less
// than 1e-18 in f64.

#include <gradus/tensor/kernels/simd/simd_exp-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_SIMD_ERF_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_SIMD_ERF_INL
#undef GRADUS_TENSOR_KERNELS_SIMD_ERF_INL
#else
#define GRADUS_TENSOR_KERNELS_SIMD_ERF_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
struct ErfConstants;

// Above kErfOne erf is 1 to the last bit. Above kNoTail 1 - erf (1e-36, 1e-295) counts as 0. kCentre is the c above.
template <>
struct ErfConstants<float> {
  static constexpr float kErfOne = 4.0f;
  static constexpr float kNoTail = 9.0f;
  static constexpr float kCentre = 2.0f;
  static constexpr float kA[] = {0.12837916612625122f,  -0.3761262595653534f,  0.11283599585294724f,
                                 -0.02685440145432949f, 0.005189443938434124f, -0.0008019943488761783f,
                                 7.8858487540856e-05f};
  static constexpr float kB[] = {0.25539568066596985f, -0.42718586325645447f, 0.24165725708007812f,
                                 -0.0789870172739029f, 0.00372932106256485f,  0.007212013937532902f};
};

template <>
struct ErfConstants<double> {
  static constexpr double kErfOne = 6.0;
  static constexpr double kNoTail = 26.0;
  static constexpr double kCentre = 2.75;
  static constexpr double kA[] = {0.1283791670955126,      -0.3761263890318375,     0.11283791670954882,
                                  -0.026866170645077358,   0.005223977624823112,    -0.0008548326981104311,
                                  0.00012055331120698482,  -1.4925595465227826e-05, 1.6461003363993978e-06,
                                  -1.6350340090274365e-07, 1.4659938862927177e-08,  -1.137340345118987e-09,
                                  5.957986355283719e-11};
  static constexpr double kB[] = {0.19366209627906947,     -0.347807006583446,    0.24989043128317878,
                                  -0.13973759848252057,    0.05683380275698582,   -0.013682986573149323,
                                  -0.00019181829082406206, 0.0013450237395928055, -0.00022904475160748656,
                                  -0.0001286222330171713,  4.899983122259293e-05, 2.90686848057381e-05,
                                  3.3740700043703733e-06};
};

/// erf x where |x| < 1.
template <class D, class V>
HWY_INLINE V ErfInner(D d, V x) {
  return hn::MulAdd(x, Polynomial(d, hn::Mul(x, x), ErfConstants<hn::TFromD<D>>::kA), x);
}

/// 1 - erf y for y >= 1 as two factors, so that a caller can multiply and add with one rounding.
template <class V>
struct ErfTail {
  V exponential;
  V polynomial;
};
template <class D, class V>
HWY_INLINE ErfTail<V> ErfOuter(D d, V y) {
  using C = ErfConstants<hn::TFromD<D>>;
  const V centre = hn::Set(d, C::kCentre);
  const V w = hn::Div(hn::Sub(y, centre), hn::Add(y, centre));
  return {ExpInRange(d, hn::Neg(hn::Mul(y, y))), Polynomial(d, w, C::kB)};
}

/// erf x = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.
template <class D, class V>
HWY_INLINE V Erf(D d, V x) {
  using T = hn::TFromD<D>;
  const V one = hn::Set(d, T{1});
  const ErfTail<V> tail = ErfOuter(d, AtMost(d, hn::Abs(x), ErfConstants<T>::kErfOne));
  const V outer = hn::NegMulAdd(tail.exponential, tail.polynomial, one);
  return hn::IfThenElse(hn::Lt(hn::Abs(x), one), ErfInner(d, x), hn::CopySign(outer, x));
}

/// Phi(x) = (1 + erf(x / sqrt 2)) / 2, the distribution function of the normal distribution. Small values keep their
/// accuracy: below -1, where this sum would cancel, B is used. B is accurate far outside the range that erf needs. (Its
/// relative error grows to 1e-3 where Phi is too small for T and becomes 0.)
template <class D, class V>
HWY_INLINE V NormalDistribution(D d, V x) {
  using T = hn::TFromD<D>;
  using C = ErfConstants<T>;
  const V half = hn::Set(d, T{0.5});
  const V y = hn::Mul(x, hn::Set(d, static_cast<T>(0.7071067811865476)));
  const V size = hn::Abs(y);
  const ErfTail<V> tail = ErfOuter(d, AtMost(d, size, C::kNoTail));
  const V small = hn::Mul(hn::Mul(tail.exponential, half), tail.polynomial);
  const V below = hn::IfThenZeroElse(hn::Gt(size, hn::Set(d, C::kNoTail)), small);
  const V outer = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), below, hn::Sub(hn::Set(d, T{1}), small));
  return hn::IfThenElse(hn::Lt(size, hn::Set(d, T{1})), hn::MulAdd(half, ErfInner(d, y), half), outer);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

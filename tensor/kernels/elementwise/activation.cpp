// SPDX-License-Identifier: MIT
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/elementwise/activation.cpp"
#include <gradus/tensor/kernels/elementwise/activation.hpp>
#include <gradus/tensor/kernels/elementwise/elementwise-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_math-inl.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

// Outside these bounds Phi, or sigmoid(2u), is 0 or 1 in f64 too. Clamping to them changes no result and avoids
// infinity times 0.
constexpr double kGeluRange = 40.0;
constexpr double kGeluTanhRange = 25.0;

// u = kTanhScale (x + kCubic x^3)
constexpr double kTanhScale = 0.7978845608028654;  // sqrt(2 / pi)
constexpr double kCubic = 0.044715;

template <class D, class V>
HWY_INLINE V Within(D d, V x, double bound) {
  const auto limit = static_cast<hn::TFromD<D>>(bound);
  return AtMost(d, AtLeast(d, x, -limit), limit);
}

/// w = 2u, so that (1 + tanh u) / 2 = sigmoid(w). Sigmoid keeps its accuracy where tanh is near -1.
template <class D, class V>
HWY_INLINE V GeluTanhArgument(D d, V x) {
  using T = hn::TFromD<D>;
  const V inner = hn::MulAdd(hn::Mul(x, x), hn::Set(d, static_cast<T>(kCubic)), hn::Set(d, T{1}));
  return hn::Mul(hn::Mul(x, inner), hn::Set(d, static_cast<T>(2 * kTanhScale)));
}

/// sigmoid(x) and 1 - sigmoid(x), both to full relative accuracy.
template <class V>
struct Gates {
  V on;
  V off;
};

template <class D, class V>
HWY_INLINE Gates<V> SigmoidGates(D d, V x) {
  const V e = ExpInRange(d, AtLeast(d, hn::Neg(hn::Abs(x)), ExpConstants<hn::TFromD<D>>::kLowest));
  const V one = hn::Set(d, hn::TFromD<D>{1});
  const V larger = hn::Div(one, hn::Add(one, e));
  const V smaller = hn::Mul(e, larger);
  const auto negative = hn::Lt(x, hn::Zero(d));
  return {hn::IfThenElse(negative, smaller, larger), hn::IfThenElse(negative, larger, smaller)};
}

/// log(1 + e^-|x|), the difference between softplus(x) and max(x, 0).
template <class D, class V>
HWY_INLINE V SoftplusTail(D d, V x) {
  return Log1p(d, Exp(d, hn::Neg(hn::Abs(x))));
}

template <ActivationFn kFn, class T>
struct ActivationOp {
  T p;
  T q;

  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    [[maybe_unused]] const auto positive = hn::Gt(x, hn::Zero(d));
    if constexpr (kFn == ActivationFn::leaky_relu) return hn::IfThenElse(positive, x, hn::Mul(hn::Set(d, p), x));
    if constexpr (kFn == ActivationFn::elu) {
      return hn::IfThenElse(positive, x, hn::Mul(hn::Set(d, p), Expm1(d, x)));
    }
    if constexpr (kFn == ActivationFn::gelu) {
      const V y = AtLeast(d, x, static_cast<T>(-kGeluRange));
      return hn::Mul(y, NormalDistribution(d, y));
    }
    if constexpr (kFn == ActivationFn::gelu_tanh) {
      const V y = AtLeast(d, x, static_cast<T>(-kGeluTanhRange));
      return hn::Mul(y, Sigmoid(d, GeluTanhArgument(d, y)));
    }
    if constexpr (kFn == ActivationFn::silu) {
      return hn::Mul(AtLeast(d, x, ExpConstants<T>::kLowest), Sigmoid(d, x));
    }
    if constexpr (kFn == ActivationFn::softplus) return hn::Add(AtLeast(d, x, T{0}), SoftplusTail(d, x));
    if constexpr (kFn == ActivationFn::log_sigmoid) return hn::Sub(AtMost(d, x, T{0}), SoftplusTail(d, x));
    if constexpr (kFn == ActivationFn::clamp) return AtMost(d, AtLeast(d, x, p), q);
  }
};

template <ActivationFn kFn, class T>
struct ActivationBackwardOp {
  T p;
  T q;

  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x, V g) const {
    [[maybe_unused]] const auto positive = hn::Gt(x, hn::Zero(d));
    [[maybe_unused]] const V one = hn::Set(d, T{1});
    if constexpr (kFn == ActivationFn::leaky_relu) return hn::IfThenElse(positive, g, hn::Mul(hn::Set(d, p), g));
    if constexpr (kFn == ActivationFn::elu) {
      return hn::IfThenElse(positive, g, hn::Mul(g, hn::Mul(hn::Set(d, p), Exp(d, x))));
    }
    if constexpr (kFn == ActivationFn::gelu) {
      const V y = Within(d, x, kGeluRange);
      const V density = hn::Mul(Exp(d, hn::Mul(hn::Mul(y, y), hn::Set(d, T{-0.5}))),
                                hn::Set(d, static_cast<T>(0.3989422804014327)));  // 1 / sqrt(2 pi)
      return hn::Mul(g, hn::MulAdd(y, density, NormalDistribution(d, y)));
    }
    if constexpr (kFn == ActivationFn::gelu_tanh) {
      const V y = Within(d, x, kGeluTanhRange);
      const Gates<V> s = SigmoidGates(d, GeluTanhArgument(d, y));
      const V slope = hn::MulAdd(hn::Mul(y, y), hn::Set(d, static_cast<T>(6 * kTanhScale * kCubic)),
                                 hn::Set(d, static_cast<T>(2 * kTanhScale)));
      return hn::Mul(g, hn::Mul(s.on, hn::MulAdd(hn::Mul(y, s.off), slope, one)));
    }
    if constexpr (kFn == ActivationFn::silu) {
      const V y = AtMost(d, AtLeast(d, x, ExpConstants<T>::kLowest), -ExpConstants<T>::kLowest);
      const Gates<V> s = SigmoidGates(d, y);
      return hn::Mul(g, hn::Mul(s.on, hn::MulAdd(y, s.off, one)));
    }
    if constexpr (kFn == ActivationFn::softplus) return hn::Mul(g, Sigmoid(d, x));
    if constexpr (kFn == ActivationFn::log_sigmoid) return hn::Mul(g, Sigmoid(d, hn::Neg(x)));
    if constexpr (kFn == ActivationFn::clamp) {
      return hn::IfThenElseZero(hn::And(hn::Ge(x, hn::Set(d, p)), hn::Le(x, hn::Set(d, q))), g);
    }
  }
};

template <ActivationFn kFn, class T>
HWY_NOINLINE void RunActivation(T p, T q, const T* x, T* y, int64_t n) {
  MapUnary(ActivationOp<kFn, T>{p, q}, x, y, n);
}

template <ActivationFn kFn, class T>
HWY_NOINLINE void RunActivationBackward(T p, T q, const T* x, int64_t x_stride, const T* g, int64_t g_stride, T* y,
                                        int64_t n) {
  WithStrides(x, x_stride, g, g_stride, n, [&](auto in, auto cotangent) GRADUS_INLINE_LAMBDA {
    MapBinary(ActivationBackwardOp<kFn, T>{p, q}, in, cotangent, y, n);
  });
}

/// The loops of all functions; each is compiled for one function.
template <class T, class Fns = std::make_index_sequence<static_cast<size_t>(ActivationFn::clamp) + 1>>
struct ActivationLoops;
template <class T, size_t... kFns>
struct ActivationLoops<T, std::index_sequence<kFns...>> {
  static constexpr decltype(&RunActivation<ActivationFn::elu, T>) kForward[] = {
      RunActivation<static_cast<ActivationFn>(kFns), T>...};
  static constexpr decltype(&RunActivationBackward<ActivationFn::elu, T>) kBackward[] = {
      RunActivationBackward<static_cast<ActivationFn>(kFns), T>...};
};

template <class T>
void Activation(ActivationFn fn, T p, T q, const T* x, T* y, int64_t n) {
  ActivationLoops<T>::kForward[static_cast<size_t>(fn)](p, q, x, y, n);
}

template <class T>
void ActivationBackward(ActivationFn fn, T p, T q, const T* x, int64_t x_stride, const T* g, int64_t g_stride, T* y,
                        int64_t n) {
  ActivationLoops<T>::kBackward[static_cast<size_t>(fn)](p, q, x, x_stride, g, g_stride, y, n);
}

/// a + w (b - a), computed from the nearer of a and b.
template <class D, class V>
HWY_INLINE V Lerp(D d, V a, V b, V w) {
  using T = hn::TFromD<D>;
  const V difference = hn::Sub(b, a);
  const V from_b = hn::NegMulAdd(hn::Sub(hn::Set(d, T{1}), w), difference, b);
  return hn::IfThenElse(hn::Lt(w, hn::Set(d, T{0.5})), hn::MulAdd(w, difference, a), from_b);
}

template <class T>
void LerpAll(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* w, int64_t w_stride, T* y,
             int64_t n) {
  const auto run = [&](auto weight) GRADUS_INLINE_LAMBDA {
    WithStrides(a, a_stride, b, b_stride, n, [&](auto left, auto right) GRADUS_INLINE_LAMBDA {
      ForVectors(hn::ScalableTag<T>(), n, [&](const auto& io, int64_t i) GRADUS_INLINE_LAMBDA {
        io.store(Lerp(io.d, left(io, i), right(io, i), weight(io, i)), y + i);
      });
    });
  };
  if (n <= 0) return;
  w_stride != 0 ? run(ArrayOperand<T>{w}) : run(OneOperand<T>{*w});
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void activation(ActivationFn fn, T p, T q, const T* x, T* y, int64_t n) {
  GRADUS_SIMD(Activation<T>)(fn, p, q, x, y, n);
}

template <class T>
void activation_backward(ActivationFn fn, T p, T q, const T* x, int64_t x_stride, const T* g, int64_t g_stride, T* y,
                         int64_t n) {
  GRADUS_SIMD(ActivationBackward<T>)(fn, p, q, x, x_stride, g, g_stride, y, n);
}

template <class T>
void lerp(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* w, int64_t w_stride, T* y, int64_t n) {
  GRADUS_SIMD(LerpAll<T>)(a, a_stride, b, b_stride, w, w_stride, y, n);
}

GRADUS_FLOAT_AND_DOUBLE(activation)
GRADUS_FLOAT_AND_DOUBLE(activation_backward)
GRADUS_FLOAT_AND_DOUBLE(lerp)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

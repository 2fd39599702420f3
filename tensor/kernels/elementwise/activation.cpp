// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/elementwise/activation.cpp"
#include <gradus/tensor/kernels/elementwise/activation.hpp>
#include <gradus/tensor/kernels/elementwise/elementwise-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_math-inl.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

// Outside these bounds Phi, or sigmoid(2u), is 0 or 1 in f64 too: clamping there changes no result, and keeps infinity
// times 0 out.
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

/// w = 2u, so that (1 + tanh u) / 2 = sigmoid(w), which loses nothing where tanh is near -1.
template <class D, class V>
HWY_INLINE V GeluTanhArgument(D d, V x) {
  using T = hn::TFromD<D>;
  const V inner = hn::MulAdd(hn::Mul(x, x), hn::Set(d, static_cast<T>(kCubic)), hn::Set(d, T{1}));
  return hn::Mul(hn::Mul(x, inner), hn::Set(d, static_cast<T>(2 * kTanhScale)));
}

/// sigmoid(x) and 1 - sigmoid(x), both with their relative accuracy.
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

/// log(1 + e^-|x|): what softplus is more than max(x, 0).
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

/// Calls run.With<fn>(), so that each function is compiled into a loop of its own.
template <class Run>
HWY_INLINE void WithFunction(ActivationFn fn, Run run) {
  switch (fn) {
    case ActivationFn::leaky_relu:
      return run.template With<ActivationFn::leaky_relu>();
    case ActivationFn::elu:
      return run.template With<ActivationFn::elu>();
    case ActivationFn::gelu:
      return run.template With<ActivationFn::gelu>();
    case ActivationFn::gelu_tanh:
      return run.template With<ActivationFn::gelu_tanh>();
    case ActivationFn::silu:
      return run.template With<ActivationFn::silu>();
    case ActivationFn::softplus:
      return run.template With<ActivationFn::softplus>();
    case ActivationFn::log_sigmoid:
      return run.template With<ActivationFn::log_sigmoid>();
    case ActivationFn::clamp:
      return run.template With<ActivationFn::clamp>();
  }
}

template <class T>
struct RunActivation {
  T p;
  T q;
  const T* x;
  T* y;
  int64_t n;

  template <ActivationFn kFn>
  HWY_NOINLINE void With() const {
    MapUnary(ActivationOp<kFn, T>{p, q}, x, y, n);
  }
};

template <class Op, class T>
struct RunPair {
  Op op;
  T* y;
  int64_t n;

  template <class A, class B>
  HWY_INLINE void operator()(A a, B b) const {
    MapBinary(op, a, b, y, n);
  }
};

template <class T>
struct RunActivationBackward {
  T p;
  T q;
  const T* x;
  int64_t x_stride;
  const T* g;
  int64_t g_stride;
  T* y;
  int64_t n;

  template <ActivationFn kFn>
  HWY_NOINLINE void With() const {
    using Op = ActivationBackwardOp<kFn, T>;
    WithStrides(x, x_stride, g, g_stride, n, RunPair<Op, T>{Op{p, q}, y, n});
  }
};

template <class T>
void Activation(ActivationFn fn, T p, T q, const T* x, T* y, int64_t n) {
  WithFunction(fn, RunActivation<T>{p, q, x, y, n});
}

template <class T>
void ActivationBackward(ActivationFn fn, T p, T q, const T* x, int64_t x_stride, const T* g, int64_t g_stride, T* y,
                        int64_t n) {
  WithFunction(fn, RunActivationBackward<T>{p, q, x, x_stride, g, g_stride, y, n});
}

/// a + w (b - a), from the nearer end.
template <class D, class V>
HWY_INLINE V Lerp(D d, V a, V b, V w) {
  using T = hn::TFromD<D>;
  const V difference = hn::Sub(b, a);
  const V from_b = hn::NegMulAdd(hn::Sub(hn::Set(d, T{1}), w), difference, b);
  return hn::IfThenElse(hn::Lt(w, hn::Set(d, T{0.5})), hn::MulAdd(w, difference, a), from_b);
}

template <class W, class T>
struct RunLerp {
  W w;
  T* y;
  int64_t n;

  template <class A, class B>
  HWY_INLINE void operator()(A a, B b) const {
    const hn::ScalableTag<T> d;
    const size_t lanes = hn::Lanes(d);
    const size_t count = static_cast<size_t>(n);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      hn::StoreU(Lerp(d, a.Whole(d, i), b.Whole(d, i), w.Whole(d, i)), d, y + i);
    }
    if (i == count) return;
    const size_t rest = count - i;
    StorePart(d, Lerp(d, a.Part(d, i, rest), b.Part(d, i, rest), w.Part(d, i, rest)), y + i, rest);
  }
};

template <class T>
void LerpAll(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* w, int64_t w_stride, T* y,
             int64_t n) {
  if (n <= 0) return;
  using Many = ArrayOperand<T>;
  using One = OneOperand<T>;
  if (w_stride != 0) return WithStrides(a, a_stride, b, b_stride, n, RunLerp<Many, T>{Many{w}, y, n});
  WithStrides(a, a_stride, b, b_stride, n, RunLerp<One, T>{One{*w}, y, n});
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

template void activation<float>(ActivationFn, float, float, const float*, float*, int64_t);
template void activation<double>(ActivationFn, double, double, const double*, double*, int64_t);
template void activation_backward<float>(ActivationFn, float, float, const float*, int64_t, const float*, int64_t,
                                         float*, int64_t);
template void activation_backward<double>(ActivationFn, double, double, const double*, int64_t, const double*, int64_t,
                                          double*, int64_t);
template void lerp<float>(const float*, int64_t, const float*, int64_t, const float*, int64_t, float*, int64_t);
template void lerp<double>(const double*, int64_t, const double*, int64_t, const double*, int64_t, double*, int64_t);

}  // namespace gradus::kernels
#endif  // HWY_ONCE

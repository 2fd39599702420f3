// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/optimizer/optimizer.cpp"
#include <cmath>

#include <gradus/tensor/kernels/elementwise/elementwise-inl.hpp>
#include <gradus/tensor/kernels/optimizer/optimizer.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// The vectors of one step: param, grad and the state.
template <class V>
struct AdamLanes {
  V p, g, m, v;
};

template <class T>
struct AdamLoop {
  T one_minus_beta1, beta2, one_minus_beta2, step_size, inverse_root_correction2, eps, l2, keep;

  explicit AdamLoop(const AdamStep& s)
      : one_minus_beta1(static_cast<T>(1 - s.beta1)),
        beta2(static_cast<T>(s.beta2)),
        one_minus_beta2(static_cast<T>(1 - s.beta2)),
        step_size(static_cast<T>(s.lr / s.bias_correction1)),
        inverse_root_correction2(static_cast<T>(1 / std::sqrt(s.bias_correction2))),
        eps(static_cast<T>(s.eps)),
        l2(static_cast<T>(s.decoupled ? 0 : s.weight_decay)),
        keep(static_cast<T>(s.decoupled ? 1 - s.lr * s.weight_decay : 1)) {}

  template <class D, class V>
  HWY_INLINE void Step(D d, AdamLanes<V>& x) const {
    const V g = hn::MulAdd(hn::Set(d, l2), x.p, x.g);
    x.m = hn::MulAdd(hn::Set(d, one_minus_beta1), hn::Sub(g, x.m), x.m);
    // This order keeps v finite whenever its true value is; g^2 by itself may overflow.
    x.v = hn::MulAdd(hn::Mul(g, hn::Set(d, one_minus_beta2)), g, hn::Mul(x.v, hn::Set(d, beta2)));
    const V root = hn::MulAdd(hn::Sqrt(x.v), hn::Set(d, inverse_root_correction2), hn::Set(d, eps));
    const V kept = hn::Mul(x.p, hn::Set(d, keep));
    x.p = hn::NegMulAdd(hn::Set(d, step_size), hn::Div(x.m, root), kept);
  }
};

template <class T>
void Adam(T* param, const T* grad, T* m, T* v, int64_t n, const AdamStep& step) {
  const hn::ScalableTag<T> d;
  const AdamLoop<T> loop(step);
  ForVectors(d, n, [&](const auto& io, int64_t i) GRADUS_INLINE_LAMBDA {
    AdamLanes<hn::Vec<decltype(d)>> x{io.load(param + i), io.load(grad + i), io.load(m + i), io.load(v + i)};
    loop.Step(d, x);
    io.store(x.p, param + i);
    io.store(x.m, m + i);
    io.store(x.v, v + i);
  });
}

template <class V>
struct SgdLanes {
  V p, g, velocity;
};

template <class T>
struct SgdLoop {
  T lr, momentum, l2;
  bool first_step, nesterov;

  explicit SgdLoop(const SgdStep& s)
      : lr(static_cast<T>(s.lr)),
        momentum(static_cast<T>(s.momentum)),
        l2(static_cast<T>(s.weight_decay)),
        first_step(s.first_step),
        nesterov(s.nesterov) {}

  template <class D, class V>
  HWY_INLINE V Decayed(D d, V p, V g) const {
    return hn::MulAdd(hn::Set(d, l2), p, g);
  }

  template <class D, class V>
  HWY_INLINE void Step(D d, SgdLanes<V>& x) const {
    const V g = Decayed(d, x.p, x.g);
    const V mu = hn::Set(d, momentum);
    x.velocity = first_step ? g : hn::Add(g, hn::Mul(mu, x.velocity));
    const V direction = nesterov ? hn::MulAdd(mu, x.velocity, g) : x.velocity;
    x.p = hn::NegMulAdd(hn::Set(d, lr), direction, x.p);
  }
};

/// p - lr (g + weight_decay p).
template <class T>
struct PlainSgdOp {
  SgdLoop<T> loop;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V p, V g) const {
    return hn::NegMulAdd(hn::Set(d, loop.lr), loop.Decayed(d, p, g), p);
  }
};

template <class T>
void Sgd(T* param, const T* grad, T* velocity, int64_t n, const SgdStep& step) {
  const SgdLoop<T> loop(step);
  if (step.momentum == 0) {
    return MapBinary(PlainSgdOp<T>{loop}, ArrayOperand<T>{param}, ArrayOperand<T>{grad}, param, n);
  }
  const hn::ScalableTag<T> d;
  ForVectors(d, n, [&](const auto& io, int64_t i) GRADUS_INLINE_LAMBDA {
    SgdLanes<hn::Vec<decltype(d)>> x{io.load(param + i), io.load(grad + i), io.load(velocity + i)};
    loop.Step(d, x);
    io.store(x.p, param + i);
    io.store(x.velocity, velocity + i);
  });
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void adam_update(T* param, const T* grad, T* m, T* v, int64_t n, const AdamStep& step) {
  GRADUS_SIMD(Adam<T>)(param, grad, m, v, n, step);
}

template <class T>
void sgd_update(T* param, const T* grad, T* velocity, int64_t n, const SgdStep& step) {
  GRADUS_SIMD(Sgd<T>)(param, grad, velocity, n, step);
}

GRADUS_FLOAT_AND_DOUBLE(adam_update)
GRADUS_FLOAT_AND_DOUBLE(sgd_update)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

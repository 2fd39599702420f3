// SPDX-License-Identifier: MIT

// The arithmetic of each optimizer on one vector: Update(d, p, g, s) changes the parameter p and its states s.

#include <cmath>

#include <gradus/tensor/kernels/elementwise/elementwise-inl.hpp>
#include <gradus/tensor/kernels/optimizer/optimizer.hpp>

#if defined(GRADUS_TENSOR_KERNELS_OPTIMIZER_RULES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_OPTIMIZER_RULES_INL
#undef GRADUS_TENSOR_KERNELS_OPTIMIZER_RULES_INL
#else
#define GRADUS_TENSOR_KERNELS_OPTIMIZER_RULES_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// Weight decay, which is added to the gradient (l2) or scales the parameter (keep).
template <class T>
struct DecayTerms {
  T l2, keep;

  DecayTerms(double weight_decay, bool decoupled, double lr)
      : l2(static_cast<T>(decoupled ? 0 : weight_decay)), keep(static_cast<T>(decoupled ? 1 - lr * weight_decay : 1)) {}

  template <class D, class V>
  HWY_INLINE V Gradient(D d, V p, V g) const {
    return hn::MulAdd(hn::Set(d, l2), p, g);
  }
  template <class D, class V>
  HWY_INLINE V Kept(D d, V p) const {
    return hn::Mul(p, hn::Set(d, keep));
  }
};

/// beta m + (1 - beta) g, and the same of squares.
template <class T>
struct MovingAverage {
  T beta, rest;

  explicit MovingAverage(double b) : beta(static_cast<T>(b)), rest(static_cast<T>(1 - b)) {}

  template <class D, class V>
  HWY_INLINE V Of(D d, V m, V g) const {
    return hn::MulAdd(hn::Set(d, rest), hn::Sub(g, m), m);
  }
  /// This order keeps v finite whenever its true value is; g^2 by itself may overflow.
  template <class D, class V>
  HWY_INLINE V OfSquares(D d, V v, V g) const {
    return hn::MulAdd(hn::Mul(g, hn::Set(d, rest)), g, hn::Mul(v, hn::Set(d, beta)));
  }
};

template <class T>
struct PlainSgdRule {
  static constexpr int kStates = 0;
  T lr, l2;

  explicit PlainSgdRule(const SgdStep& s) : lr(static_cast<T>(s.lr)), l2(static_cast<T>(s.weight_decay)) {}

  template <class D, class V>
  HWY_INLINE void Update(D d, V& p, V g, V*) const {
    p = hn::NegMulAdd(hn::Set(d, lr), hn::MulAdd(hn::Set(d, l2), p, g), p);
  }
};

template <class T>
struct SgdRule {
  static constexpr int kStates = 1;
  T lr, momentum, share, l2;
  bool first_step, nesterov;

  explicit SgdRule(const SgdStep& s)
      : lr(static_cast<T>(s.lr)),
        momentum(static_cast<T>(s.momentum)),
        share(static_cast<T>(1 - s.dampening)),
        l2(static_cast<T>(s.weight_decay)),
        first_step(s.first_step),
        nesterov(s.nesterov) {}

  template <class D, class V>
  HWY_INLINE void Update(D d, V& p, V gradient, V* s) const {
    const V g = hn::MulAdd(hn::Set(d, l2), p, gradient);
    const V mu = hn::Set(d, momentum);
    s[0] = first_step ? g : hn::MulAdd(hn::Set(d, share), g, hn::Mul(mu, s[0]));
    const V direction = nesterov ? hn::MulAdd(mu, s[0], g) : s[0];
    p = hn::NegMulAdd(hn::Set(d, lr), direction, p);
  }
};

template <class T, bool kAmsgrad>
struct AdamRule {
  static constexpr int kStates = kAmsgrad ? 3 : 2;
  DecayTerms<T> decay;
  MovingAverage<T> first, second;
  T step_size, inverse_root_correction2, eps;

  explicit AdamRule(const AdamStep& s)
      : decay(s.weight_decay, s.decoupled, s.lr),
        first(s.beta1),
        second(s.beta2),
        step_size(static_cast<T>(s.lr / s.bias_correction1)),
        inverse_root_correction2(static_cast<T>(1 / std::sqrt(s.bias_correction2))),
        eps(static_cast<T>(s.eps)) {}

  template <class D, class V>
  HWY_INLINE void Update(D d, V& p, V gradient, V* s) const {
    const V g = decay.Gradient(d, p, gradient);
    s[0] = first.Of(d, s[0], g);
    s[1] = second.OfSquares(d, s[1], g);
    V v = s[1];
    if constexpr (kAmsgrad) v = s[2] = hn::Max(s[2], v);
    const V root = hn::MulAdd(hn::Sqrt(v), hn::Set(d, inverse_root_correction2), hn::Set(d, eps));
    p = hn::NegMulAdd(hn::Set(d, step_size), hn::Div(s[0], root), decay.Kept(d, p));
  }
};

template <class T>
struct NadamRule {
  static constexpr int kStates = 2;
  DecayTerms<T> decay;
  MovingAverage<T> first, second;
  T gradient_rate, average_rate, inverse_root_correction2, eps;

  explicit NadamRule(const NadamStep& s)
      : decay(s.weight_decay, s.decoupled, s.lr),
        first(s.beta1),
        second(s.beta2),
        gradient_rate(static_cast<T>(s.gradient_rate)),
        average_rate(static_cast<T>(s.average_rate)),
        inverse_root_correction2(static_cast<T>(1 / std::sqrt(s.bias_correction2))),
        eps(static_cast<T>(s.eps)) {}

  template <class D, class V>
  HWY_INLINE void Update(D d, V& p, V gradient, V* s) const {
    const V g = decay.Gradient(d, p, gradient);
    s[0] = first.Of(d, s[0], g);
    s[1] = second.OfSquares(d, s[1], g);
    const V root = hn::MulAdd(hn::Sqrt(s[1]), hn::Set(d, inverse_root_correction2), hn::Set(d, eps));
    const V ahead = hn::MulAdd(hn::Set(d, gradient_rate), g, hn::Mul(hn::Set(d, average_rate), s[0]));
    p = hn::Sub(decay.Kept(d, p), hn::Div(ahead, root));
  }
};

template <class T>
struct AdagradRule {
  static constexpr int kStates = 1;
  T lr, eps, l2, start;
  bool first_step;

  explicit AdagradRule(const AdagradStep& s)
      : lr(static_cast<T>(s.lr)),
        eps(static_cast<T>(s.eps)),
        l2(static_cast<T>(s.weight_decay)),
        start(static_cast<T>(s.start)),
        first_step(s.first_step) {}

  template <class D, class V>
  HWY_INLINE void Update(D d, V& p, V gradient, V* s) const {
    const V g = hn::MulAdd(hn::Set(d, l2), p, gradient);
    s[0] = hn::MulAdd(g, g, first_step ? hn::Set(d, start) : s[0]);
    p = hn::NegMulAdd(hn::Set(d, lr), hn::Div(g, hn::Add(hn::Sqrt(s[0]), hn::Set(d, eps))), p);
  }
};

template <class T>
struct AdadeltaRule {
  static constexpr int kStates = 2;
  MovingAverage<T> average;
  T lr, eps, l2;

  explicit AdadeltaRule(const AdadeltaStep& s)
      : average(s.rho), lr(static_cast<T>(s.lr)), eps(static_cast<T>(s.eps)), l2(static_cast<T>(s.weight_decay)) {}

  template <class D, class V>
  HWY_INLINE void Update(D d, V& p, V gradient, V* s) const {
    const V g = hn::MulAdd(hn::Set(d, l2), p, gradient);
    s[0] = average.OfSquares(d, s[0], g);
    const V e = hn::Set(d, eps);
    const V x = hn::Mul(hn::Div(hn::Sqrt(hn::Add(s[1], e)), hn::Sqrt(hn::Add(s[0], e))), g);
    s[1] = average.OfSquares(d, s[1], x);
    p = hn::NegMulAdd(hn::Set(d, lr), x, p);
  }
};

template <class T, bool kCentered, bool kMomentum>
struct RmsPropRule {
  static constexpr int kStates = 1 + (kCentered ? 1 : 0) + (kMomentum ? 1 : 0);
  MovingAverage<T> average;
  T lr, eps, l2, momentum;

  explicit RmsPropRule(const RmsPropStep& s)
      : average(s.alpha),
        lr(static_cast<T>(s.lr)),
        eps(static_cast<T>(s.eps)),
        l2(static_cast<T>(s.weight_decay)),
        momentum(static_cast<T>(s.momentum)) {}

  template <class D, class V>
  HWY_INLINE void Update(D d, V& p, V gradient, V* s) const {
    const V g = hn::MulAdd(hn::Set(d, l2), p, gradient);
    s[0] = average.OfSquares(d, s[0], g);
    V v = s[0];
    if constexpr (kCentered) {
      s[1] = average.Of(d, s[1], g);
      v = hn::Max(hn::NegMulAdd(s[1], s[1], v), hn::Zero(d));
    }
    V x = hn::Div(g, hn::Add(hn::Sqrt(v), hn::Set(d, eps)));
    if constexpr (kMomentum) x = s[kStates - 1] = hn::MulAdd(hn::Set(d, momentum), s[kStates - 1], x);
    p = hn::NegMulAdd(hn::Set(d, lr), x, p);
  }
};

template <class T>
struct LionRule {
  static constexpr int kStates = 1;
  DecayTerms<T> decay;
  MovingAverage<T> direction, average;
  T lr;

  explicit LionRule(const LionStep& s)
      : decay(s.weight_decay, true, s.lr), direction(s.beta1), average(s.beta2), lr(static_cast<T>(s.lr)) {}

  template <class D, class V>
  HWY_INLINE void Update(D d, V& p, V g, V* s) const {
    const V c = direction.Of(d, s[0], g);
    // 0 and NaN are their own signs.
    const auto has_sign = hn::Gt(hn::Abs(c), hn::Zero(d));
    const V sign = hn::IfThenElse(has_sign, hn::CopySign(hn::Set(d, T{1}), c), c);
    s[0] = average.Of(d, s[0], g);
    p = hn::NegMulAdd(hn::Set(d, lr), sign, decay.Kept(d, p));
  }
};

template <class T>
struct AverageRule {
  static constexpr int kStates = 0;
  T weight;

  template <class D, class V>
  HWY_INLINE void Update(D d, V& p, V g, V*) const {
    p = hn::MulAdd(hn::Set(d, weight), hn::Sub(g, p), p);
  }
};

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

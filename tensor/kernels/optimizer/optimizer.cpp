// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/optimizer/optimizer.cpp"
#include <gradus/tensor/kernels/optimizer/rules-inl.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// The one loop of all rules. A rule changes the vectors of the parameter and of its kStates states.
template <class Rule, class T>
HWY_INLINE void UpdateBy(const Rule& rule, const OptimizerArrays<T>& x) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  T* const param = x.param;
  const T* const grad = x.grad;
  T* const state[kOptimizerStates] = {x.state[0], x.state[1], x.state[2]};
  ForVectors(d, x.n, [&](const auto& io, int64_t i) GRADUS_INLINE_LAMBDA {
    V p = io.load(param + i);
    V s[Rule::kStates + 1];
    for (int k = 0; k < Rule::kStates; ++k) s[k] = io.load(state[k] + i);
    rule.Update(d, p, io.load(grad + i), s);
    io.store(p, param + i);
    for (int k = 0; k < Rule::kStates; ++k) io.store(s[k], state[k] + i);
  });
}

template <class T>
void Sgd(const SgdStep& step, const OptimizerArrays<T>& x) {
  if (step.momentum == 0) return UpdateBy(PlainSgdRule<T>(step), x);
  UpdateBy(SgdRule<T>(step), x);
}

template <class T>
void Adam(const AdamStep& step, const OptimizerArrays<T>& x) {
  if (step.amsgrad) return UpdateBy(AdamRule<T, true>(step), x);
  UpdateBy(AdamRule<T, false>(step), x);
}

template <class T>
void Nadam(const NadamStep& step, const OptimizerArrays<T>& x) {
  UpdateBy(NadamRule<T>(step), x);
}

template <class T>
void Adagrad(const AdagradStep& step, const OptimizerArrays<T>& x) {
  UpdateBy(AdagradRule<T>(step), x);
}

template <class T>
void Adadelta(const AdadeltaStep& step, const OptimizerArrays<T>& x) {
  UpdateBy(AdadeltaRule<T>(step), x);
}

template <class T>
void RmsProp(const RmsPropStep& step, const OptimizerArrays<T>& x) {
  if (step.centered && step.momentum != 0) return UpdateBy(RmsPropRule<T, true, true>(step), x);
  if (step.centered) return UpdateBy(RmsPropRule<T, true, false>(step), x);
  if (step.momentum != 0) return UpdateBy(RmsPropRule<T, false, true>(step), x);
  UpdateBy(RmsPropRule<T, false, false>(step), x);
}

template <class T>
void Lion(const LionStep& step, const OptimizerArrays<T>& x) {
  UpdateBy(LionRule<T>(step), x);
}

template <class T>
void Average(const AverageStep& step, const OptimizerArrays<T>& x) {
  UpdateBy(AverageRule<T>{static_cast<T>(step.weight)}, x);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

/// Calls the loop of each rule for the instruction set in use.
template <class T>
struct RunRule {
  const OptimizerArrays<T>& x;
  void operator()(const SgdStep& step) const { GRADUS_SIMD(Sgd<T>)(step, x); }
  void operator()(const AdamStep& step) const { GRADUS_SIMD(Adam<T>)(step, x); }
  void operator()(const NadamStep& step) const { GRADUS_SIMD(Nadam<T>)(step, x); }
  void operator()(const AdagradStep& step) const { GRADUS_SIMD(Adagrad<T>)(step, x); }
  void operator()(const AdadeltaStep& step) const { GRADUS_SIMD(Adadelta<T>)(step, x); }
  void operator()(const RmsPropStep& step) const { GRADUS_SIMD(RmsProp<T>)(step, x); }
  void operator()(const LionStep& step) const { GRADUS_SIMD(Lion<T>)(step, x); }
  void operator()(const AverageStep& step) const { GRADUS_SIMD(Average<T>)(step, x); }
};

}  // namespace

template <class T>
void optimizer_update(const OptimizerStep& step, const OptimizerArrays<T>& x) {
  std::visit(RunRule<T>{x}, step.rule);
}

GRADUS_FLOAT_AND_DOUBLE(optimizer_update)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

// SPDX-License-Identifier: MIT

// Sums and extremes along one run, for kernels that reduce. `terms(io, i)` is the vector of the terms from i on; lanes
// after the last term hold the neutral element.

#include <gradus/tensor/kernels/simd/vectors-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_REDUCE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_REDUCE_INL
#undef GRADUS_TENSOR_KERNELS_REDUCE_INL
#else
#define GRADUS_TENSOR_KERNELS_REDUCE_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// How many numbers one accumulator adds up before it is added to the total. This limits the rounding error.
constexpr size_t kSumBlock = 128;

/// The sum of all terms.
template <class D, class Terms>
HWY_INLINE hn::TFromD<D> SumOf(D d, int64_t n, const Terms& terms) {
  using V = hn::Vec<D>;
  const auto whole = [&](size_t i) GRADUS_INLINE_LAMBDA { return terms(WholeVector<D>{d}, static_cast<int64_t>(i)); };
  const size_t lanes = hn::Lanes(d), step = 4 * lanes, count = static_cast<size_t>(n);
  V total = hn::Zero(d);
  size_t i = 0;
  while (i + step <= count) {
    const size_t end = HWY_MIN(count, i + step * kSumBlock);
    V s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
    for (; i + step <= end; i += step) {
      s0 = hn::Add(s0, whole(i));
      s1 = hn::Add(s1, whole(i + lanes));
      s2 = hn::Add(s2, whole(i + 2 * lanes));
      s3 = hn::Add(s3, whole(i + 3 * lanes));
    }
    total = hn::Add(total, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
  }
  for (; i + lanes <= count; i += lanes) total = hn::Add(total, whole(i));
  if (i < count) total = hn::Add(total, terms(PartVector<D>{d, count - i}, static_cast<int64_t>(i)));
  return hn::GetLane(hn::SumOfLanes(d, total));
}

/// The terms x[i]; lanes after the last one hold `neutral`.
template <class T>
struct ExtremeTerms {
  const T* x;
  T neutral;
  template <class IO>
  HWY_INLINE auto operator()(const IO& io, int64_t i) const {
    return io.within(io.load(x + i), neutral);
  }
};

/// max and min of lanes without a rule for NaN: targets differ in which operand they return when one is NaN.
struct MaxLanes {
  template <class D>
  static HWY_INLINE hn::TFromD<D> Across(D d, hn::Vec<D> v) {
    return hn::GetLane(hn::MaxOfLanes(d, v));
  }
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return hn::Max(a, b);
  }
};

struct MinLanes {
  template <class D>
  static HWY_INLINE hn::TFromD<D> Across(D d, hn::Vec<D> v) {
    return hn::GetLane(hn::MinOfLanes(d, v));
  }
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return hn::Min(a, b);
  }
};

/// The extreme of all terms, or `neutral` when there is none. If a term is NaN, the result is one of the terms or NaN.
template <class Op, class D, class Terms>
HWY_INLINE hn::TFromD<D> ExtremeOf(Op op, D d, int64_t n, const Terms& terms, hn::TFromD<D> neutral) {
  const auto whole = [&](size_t i) GRADUS_INLINE_LAMBDA { return terms(WholeVector<D>{d}, static_cast<int64_t>(i)); };
  const size_t lanes = hn::Lanes(d), count = static_cast<size_t>(n);
  hn::Vec<D> a = hn::Set(d, neutral), b = a;
  size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    a = op(whole(i), a);
    b = op(whole(i + lanes), b);
  }
  if (i + lanes <= count) {
    a = op(whole(i), a);
    i += lanes;
  }
  if (i < count) b = op(terms(PartVector<D>{d, count - i}, static_cast<int64_t>(i)), b);
  return Op::Across(d, op(a, b));
}

template <class T>
HWY_NOINLINE bool HasNan(const T* x, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (!(x[i] == x[i])) return true;
  }
  return false;
}

/// The extreme of x[0..n), `neutral` for n = 0, NaN if any is NaN. A sum finds NaN at less cost than a comparison of
/// each element. It is NaN when an element is, or when infinities of both signs are added; only then each element is
/// checked.
template <class Op, class T>
HWY_INLINE T ExtremeOfRun(Op op, const T* x, size_t n, T neutral) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const size_t lanes = hn::Lanes(d);
  V e0 = hn::Set(d, neutral), e1 = e0, e2 = e0, e3 = e0, s0 = hn::Zero(d), s1 = s0;
  const auto take = [&](V v, V& extreme, V& sum) HWY_ATTR {
    extreme = op(v, extreme);
    sum = hn::Add(sum, v);
  };
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    take(hn::LoadU(d, x + i), e0, s0);
    take(hn::LoadU(d, x + i + lanes), e1, s1);
    take(hn::LoadU(d, x + i + 2 * lanes), e2, s0);
    take(hn::LoadU(d, x + i + 3 * lanes), e3, s1);
  }
  for (; i + lanes <= n; i += lanes) take(hn::LoadU(d, x + i), e0, s0);
  if (i < n) take(PartVector<decltype(d)>{d, n - i}.within(LoadPart(d, x + i, n - i), neutral), e1, s1);
  const V sums = hn::Add(s0, s1);
  if (!hn::AllTrue(d, hn::Eq(sums, sums)) && HasNan(x, n)) return hn::GetLane(hn::NaN(hn::CappedTag<T, 1>()));
  return Op::Across(d, op(op(e0, e1), op(e2, e3)));
}

template <class T>
HWY_INLINE T InfinityOf() {
  return hn::GetLane(hn::Inf(hn::CappedTag<T, 1>()));
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

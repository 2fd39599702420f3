// SPDX-License-Identifier: MIT

// Sums and extremes along one run, for kernels that reduce. A `Terms` yields vectors to be reduced: Whole(d, i) for the
// lanes i.., Part(d, i, count) for the last ones, with the neutral element in the lanes from `count` on.

#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_REDUCE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_REDUCE_INL
#undef GRADUS_TENSOR_KERNELS_REDUCE_INL
#else
#define GRADUS_TENSOR_KERNELS_REDUCE_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// How many numbers one accumulator takes before it is added to the total, which bounds the rounding error.
constexpr size_t kSumBlock = 128;

/// The sum of all terms, spread over the lanes of one vector.
template <class D, class Terms>
HWY_INLINE hn::Vec<D> SumTerms(D d, size_t count, const Terms& terms) {
  using V = hn::Vec<D>;
  const size_t lanes = hn::Lanes(d);
  const size_t step = 4 * lanes;
  V total = hn::Zero(d);
  size_t i = 0;
  while (i + step <= count) {
    const size_t end = HWY_MIN(count, i + step * kSumBlock);
    V s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
    for (; i + step <= end; i += step) {
      s0 = hn::Add(s0, terms.Whole(d, i));
      s1 = hn::Add(s1, terms.Whole(d, i + lanes));
      s2 = hn::Add(s2, terms.Whole(d, i + 2 * lanes));
      s3 = hn::Add(s3, terms.Whole(d, i + 3 * lanes));
    }
    total = hn::Add(total, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
  }
  for (; i + lanes <= count; i += lanes) total = hn::Add(total, terms.Whole(d, i));
  if (i < count) total = hn::Add(total, terms.Part(d, i, count - i));
  return total;
}

template <class D>
HWY_INLINE hn::TFromD<D> SumLanes(D d, hn::Vec<D> v) {
  return hn::GetLane(hn::SumOfLanes(d, v));
}

/// The terms x[i].
template <class T>
struct PlainTerms {
  const T* x;
  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    return hn::LoadU(d, x + i);
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    return LoadPart(d, x + i, count);
  }
};

/// The terms x[i] with `neutral` beyond the end.
template <class T>
struct ExtremeTerms {
  const T* x;
  T neutral;
  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    return hn::LoadU(d, x + i);
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    return hn::IfThenElse(hn::FirstN(d, count), LoadPart(d, x + i, count), hn::Set(d, neutral));
  }
};

/// max and min of lanes where NaN plays no part: which one of the two a NaN operand gives differs between targets.
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

/// The extreme of all terms, `neutral` when there is none. With a NaN among them the result is some term, or NaN.
template <class Op, class D, class Terms>
HWY_INLINE hn::TFromD<D> ExtremeOf(Op op, D d, size_t count, const Terms& terms, hn::TFromD<D> neutral) {
  const size_t lanes = hn::Lanes(d);
  hn::Vec<D> a = hn::Set(d, neutral), b = a;
  size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    a = op(terms.Whole(d, i), a);
    b = op(terms.Whole(d, i + lanes), b);
  }
  if (i + lanes <= count) {
    a = op(terms.Whole(d, i), a);
    i += lanes;
  }
  if (i < count) b = op(terms.Part(d, i, count - i), b);
  return Op::Across(d, op(a, b));
}

template <class T>
HWY_NOINLINE bool HasNan(const T* x, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (!(x[i] == x[i])) return true;
  }
  return false;
}

/// The extreme of x[0..n), `neutral` for none, NaN if any is NaN. A sum beside the extreme shows it for less than a
/// comparison of each element: it is NaN where one of them is, or where infinities meet, and then they are looked at.
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
  if (i < n) take(ExtremeTerms<T>{x, neutral}.Part(d, i, n - i), e1, s1);
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

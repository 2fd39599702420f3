// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/elementwise/elementwise_compare.cpp"
#include <gradus/tensor/kernels/elementwise/elementwise-inl.hpp>
#include <gradus/tensor/kernels/elementwise/elementwise.hpp>
#include <gradus/tensor/kernels/simd/mask_bytes-inl.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <CompareFn kFn, class V>
HWY_INLINE auto CompareLanes(V a, V b) {
  if constexpr (kFn == CompareFn::eq) return hn::Eq(a, b);
  // Highway's own Ne is an ordered comparison on some targets: false for NaN.
  if constexpr (kFn == CompareFn::ne) return hn::Not(hn::Eq(a, b));
  if constexpr (kFn == CompareFn::lt) return hn::Lt(a, b);
  if constexpr (kFn == CompareFn::le) return hn::Le(a, b);
  if constexpr (kFn == CompareFn::gt) return hn::Gt(a, b);
  if constexpr (kFn == CompareFn::ge) return hn::Ge(a, b);
}

/// 1 where the comparison holds, as one byte per lane.
template <CompareFn kFn, class D, class V>
HWY_INLINE auto CompareBytes(D, V a, V b) {
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<uint8_t, D> d8;
  const auto holds = hn::RebindMask(du, CompareLanes<kFn>(a, b));
  return hn::TruncateTo(d8, hn::IfThenElseZero(holds, hn::Set(du, hn::TFromD<decltype(du)>{1})));
}

template <CompareFn kFn, class T>
struct RunCompare {
  uint8_t* y;
  int64_t n;

  template <class A, class B>
  HWY_INLINE void operator()(A a, B b) const {
    const hn::ScalableTag<T> d;
    const hn::Rebind<uint8_t, decltype(d)> d8;
    const size_t lanes = hn::Lanes(d);
    const size_t count = static_cast<size_t>(n);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) hn::StoreU(CompareBytes<kFn>(d, a.Whole(d, i), b.Whole(d, i)), d8, y + i);
    if (i == count) return;
    const size_t rest = count - i;
    StorePart(d8, CompareBytes<kFn>(d, a.Part(d, i, rest), b.Part(d, i, rest)), y + i, rest);
  }
};

template <CompareFn kFn, class T>
HWY_NOINLINE void CompareWith(const T* a, int64_t a_stride, const T* b, int64_t b_stride, uint8_t* y, int64_t n) {
  WithStrides(a, a_stride, b, b_stride, n, RunCompare<kFn, T>{y, n});
}

template <class T>
void Compare(CompareFn fn, const T* a, int64_t a_stride, const T* b, int64_t b_stride, uint8_t* y, int64_t n) {
  switch (fn) {
    case CompareFn::eq:
      return CompareWith<CompareFn::eq>(a, a_stride, b, b_stride, y, n);
    case CompareFn::ne:
      return CompareWith<CompareFn::ne>(a, a_stride, b, b_stride, y, n);
    case CompareFn::lt:
      return CompareWith<CompareFn::lt>(a, a_stride, b, b_stride, y, n);
    case CompareFn::le:
      return CompareWith<CompareFn::le>(a, a_stride, b, b_stride, y, n);
    case CompareFn::gt:
      return CompareWith<CompareFn::gt>(a, a_stride, b, b_stride, y, n);
    case CompareFn::ge:
      return CompareWith<CompareFn::ge>(a, a_stride, b, b_stride, y, n);
  }
}

template <class T>
struct RunSelect {
  const uint8_t* keep;
  T* y;
  int64_t n;

  template <class A, class B>
  HWY_INLINE void operator()(A a, B b) const {
    const hn::ScalableTag<T> d;
    const size_t lanes = hn::Lanes(d);
    const size_t count = static_cast<size_t>(n);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      const auto mask = LoadMask(d, keep + i);
      hn::StoreU(hn::IfThenElse(mask, a.Whole(d, i), b.Whole(d, i)), d, y + i);
    }
    if (i == count) return;
    const size_t rest = count - i;
    const auto mask = LoadMaskPart(d, keep + i, rest);
    StorePart(d, hn::IfThenElse(mask, a.Part(d, i, rest), b.Part(d, i, rest)), y + i, rest);
  }
};

struct FirstOp {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D, V a) const {
    return a;
  }
};

template <class T>
struct RunFill {
  T* y;
  int64_t n;
  void operator()(const T* source, int64_t stride) const {
    if (stride != 0) return MapUnary(FirstOp(), source, y, n);
    for (int64_t i = 0; i < n; ++i) y[i] = *source;
  }
};

template <class T>
void Select(const uint8_t* keep, int64_t keep_stride, const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y,
            int64_t n) {
  if (n <= 0) return;
  if (keep_stride != 0) return WithStrides(a, a_stride, b, b_stride, n, RunSelect<T>{keep, y, n});
  const RunFill<T> fill{y, n};
  if (*keep != 0) return fill(a, a_stride);
  fill(b, b_stride);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void compare(CompareFn fn, const T* a, int64_t a_stride, const T* b, int64_t b_stride, uint8_t* y, int64_t n) {
  GRADUS_SIMD(Compare<T>)(fn, a, a_stride, b, b_stride, y, n);
}

template <class T>
void select(const uint8_t* keep, int64_t keep_stride, const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y,
            int64_t n) {
  GRADUS_SIMD(Select<T>)(keep, keep_stride, a, a_stride, b, b_stride, y, n);
}

template void compare<float>(CompareFn, const float*, int64_t, const float*, int64_t, uint8_t*, int64_t);
template void compare<double>(CompareFn, const double*, int64_t, const double*, int64_t, uint8_t*, int64_t);
template void select<float>(const uint8_t*, int64_t, const float*, int64_t, const float*, int64_t, float*, int64_t);
template void select<double>(const uint8_t*, int64_t, const double*, int64_t, const double*, int64_t, double*, int64_t);

}  // namespace gradus::kernels
#endif  // HWY_ONCE

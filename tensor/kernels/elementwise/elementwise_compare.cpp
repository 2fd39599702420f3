// SPDX-License-Identifier: MIT
#include <algorithm>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/elementwise/elementwise_compare.cpp"
#include <gradus/tensor/kernels/elementwise/elementwise-inl.hpp>
#include <gradus/tensor/kernels/elementwise/elementwise.hpp>

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
HWY_NOINLINE void RunCompare(const T* a, int64_t a_stride, const T* b, int64_t b_stride, uint8_t* y, int64_t n) {
  WithStrides(a, a_stride, b, b_stride, n, [&](auto left, auto right) GRADUS_INLINE_LAMBDA {
    const hn::ScalableTag<T> d;
    ForVectors(d, n, [&](const auto& io, int64_t i) GRADUS_INLINE_LAMBDA {
      io.of(hn::Rebind<uint8_t, decltype(d)>()).store(CompareBytes<kFn>(d, left(io, i), right(io, i)), y + i);
    });
  });
}

template <class T, size_t... kFns>
void CompareBy(CompareFn fn, const T* a, int64_t a_stride, const T* b, int64_t b_stride, uint8_t* y, int64_t n,
               std::index_sequence<kFns...>) {
  static constexpr decltype(&RunCompare<CompareFn::eq, T>) kLoops[] = {RunCompare<static_cast<CompareFn>(kFns), T>...};
  kLoops[static_cast<size_t>(fn)](a, a_stride, b, b_stride, y, n);
}

template <class T>
void Compare(CompareFn fn, const T* a, int64_t a_stride, const T* b, int64_t b_stride, uint8_t* y, int64_t n) {
  CompareBy(fn, a, a_stride, b, b_stride, y, n, std::make_index_sequence<static_cast<size_t>(CompareFn::ge) + 1>());
}

template <class T>
void CopyOrFill(const T* x, int64_t stride, T* y, int64_t n) {
  stride != 0 ? std::copy_n(x, n, y) : std::fill_n(y, n, *x);
}

template <class T>
void Where(const uint8_t* keep, int64_t keep_stride, const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y,
           int64_t n) {
  if (n <= 0) return;
  if (keep_stride == 0) return *keep != 0 ? CopyOrFill(a, a_stride, y, n) : CopyOrFill(b, b_stride, y, n);
  WithStrides(a, a_stride, b, b_stride, n, [&](auto left, auto right) GRADUS_INLINE_LAMBDA {
    ForVectors(hn::ScalableTag<T>(), n, [&](const auto& io, int64_t i) GRADUS_INLINE_LAMBDA {
      io.store(hn::IfThenElse(LoadMask(io, keep + i), left(io, i), right(io, i)), y + i);
    });
  });
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
void where(const uint8_t* keep, int64_t keep_stride, const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y,
           int64_t n) {
  GRADUS_SIMD(Where<T>)(keep, keep_stride, a, a_stride, b, b_stride, y, n);
}

GRADUS_FLOAT_AND_DOUBLE(compare)
GRADUS_FLOAT_AND_DOUBLE(where)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

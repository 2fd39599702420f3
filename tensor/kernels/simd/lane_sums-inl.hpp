// SPDX-License-Identifier: MIT

// Sums over the lanes of four vectors at once. Four results cost little more than the shuffles of one.

#include <cstdint>

#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_LANE_SUMS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_LANE_SUMS_INL
#undef GRADUS_TENSOR_KERNELS_LANE_SUMS_INL
#else
#define GRADUS_TENSOR_KERNELS_LANE_SUMS_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR
/// The sum of the 128-bit blocks of v.
template <class D, class V>
HWY_INLINE auto SumBlocks(D d, V v) {
  if constexpr (hn::MaxLanes(d) * sizeof(hn::TFromD<D>) <= 16) {
    return v;
  } else {
    const hn::Half<D> half;
    return SumBlocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}
#endif

/// to[i] = sum of the lanes of v_i.
template <class D, class V>
HWY_INLINE void StoreLaneSums(D d, V v0, V v1, V v2, V v3, hn::TFromD<D>* to) {
#if HWY_TARGET == HWY_SCALAR
  hn::Store(v0, d, to);
  hn::Store(v1, d, to + 1);
  hn::Store(v2, d, to + 2);
  hn::Store(v3, d, to + 3);
#else
  using T = hn::TFromD<D>;
  const hn::FixedTag<T, 16 / sizeof(T)> block;
  const V v01 = hn::Add(hn::InterleaveLower(d, v0, v1), hn::InterleaveUpper(d, v0, v1));
  const V v23 = hn::Add(hn::InterleaveLower(d, v2, v3), hn::InterleaveUpper(d, v2, v3));
  if constexpr (sizeof(T) == 8) {
    hn::StoreU(SumBlocks(d, v01), block, to);
    hn::StoreU(SumBlocks(d, v23), block, to + 2);
  } else {
    const hn::Repartition<double, D> pairs;
    const auto p01 = hn::BitCast(pairs, v01), p23 = hn::BitCast(pairs, v23);
    const V low = hn::BitCast(d, hn::InterleaveLower(pairs, p01, p23));
    const V high = hn::BitCast(d, hn::InterleaveUpper(pairs, p01, p23));
    hn::StoreU(SumBlocks(d, hn::Add(low, high)), block, to);
  }
#endif
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

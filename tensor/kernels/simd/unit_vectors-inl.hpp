// SPDX-License-Identifier: MIT

// A loop over units that writes its body once for whole vectors and for the part of one at the end.

#include <cstdint>

#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_UNIT_VECTORS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_UNIT_VECTORS_INL
#undef GRADUS_TENSOR_KERNELS_UNIT_VECTORS_INL
#else
#define GRADUS_TENSOR_KERNELS_UNIT_VECTORS_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// Access to one vector of units, or to the first `count` units of it.
template <class D>
struct WholeVector {
  using T = hn::TFromD<D>;
  D d;
  HWY_INLINE hn::Vec<D> load(const T* p) const { return hn::LoadU(d, p); }
  HWY_INLINE void store(hn::Vec<D> v, T* p) const { hn::StoreU(v, d, p); }
};

template <class D>
struct PartVector {
  using T = hn::TFromD<D>;
  D d;
  size_t count;
  HWY_INLINE hn::Vec<D> load(const T* p) const { return LoadPart(d, p, count); }
  HWY_INLINE void store(hn::Vec<D> v, T* p) const { StorePart(d, v, p, count); }
};

/// cell(io, j) for each vector of `hidden` units, j its first unit.
template <class D, class Cell>
HWY_INLINE void ForUnits(D d, int64_t hidden, const Cell& cell) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = 0;
  for (; j + lanes <= hidden; j += lanes) cell(WholeVector<D>{d}, j);
  if (j < hidden) cell(PartVector<D>{d, static_cast<size_t>(hidden - j)}, j);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

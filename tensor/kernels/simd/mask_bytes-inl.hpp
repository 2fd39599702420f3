// SPDX-License-Identifier: MIT

// Masks of bytes (0 = false) as vector masks.

#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_MASK_BYTES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_MASK_BYTES_INL
#undef GRADUS_TENSOR_KERNELS_MASK_BYTES_INL
#else
#define GRADUS_TENSOR_KERNELS_MASK_BYTES_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// The mask of the lanes whose byte is not 0.
template <class D, class V8>
HWY_INLINE auto MaskFromBytes(D d, V8 bytes) {
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<uint32_t, D> d32;
  const auto wide = hn::PromoteTo(d32, bytes);
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    return hn::RebindMask(d, hn::Ne(wide, hn::Zero(du)));
  } else {
    return hn::RebindMask(d, hn::Ne(hn::PromoteTo(du, wide), hn::Zero(du)));
  }
}

/// From Lanes(d) bytes.
template <class D>
HWY_INLINE auto LoadMask(D d, const uint8_t* keep) {
  return MaskFromBytes(d, hn::LoadU(hn::Rebind<uint8_t, D>(), keep));
}

/// From `count` < Lanes(d) bytes; the other lanes are false.
template <class D>
HWY_INLINE auto LoadMaskPart(D d, const uint8_t* keep, size_t count) {
  return MaskFromBytes(d, LoadPart(hn::Rebind<uint8_t, D>(), keep, count));
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

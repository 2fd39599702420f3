// SPDX-License-Identifier: MIT

// The only place that includes Highway. A kernel .cpp defines HWY_TARGET_INCLUDE as its own path and includes this file
// first, which compiles that .cpp once per target. The -inl.hpp files include it too. So there is no #pragma once: one
// part is guarded to be read once, the other once per target.

#ifndef GRADUS_TENSOR_KERNELS_SIMD_ONCE
#define GRADUS_TENSOR_KERNELS_SIMD_ONCE

// Without SSE2 (Highway before 1.0.4), use Highway's one-lane code as the baseline with every compiler. Its emulated
// 128-bit vectors are broken under GCC before 12.3, and a second kind of baseline would need tests of its own.
#undef HWY_BROKEN_EMU128
#define HWY_BROKEN_EMU128 1
#include <hwy/detect_targets.h>

// Three targets are enough for any x86-64 and keep compile time short: the compiler's baseline, AVX2 with FMA, and
// AVX-512. On 64-bit Arm, NEON is the baseline and the only target: kernels keep vectors in arrays and structs, and a
// vector of SVE, whose size is known only at run time, can be in neither. Later versions of Highway have more NEON
// targets, with instructions that no kernel uses. Highway expands this macro only where it is used, so it can still be
// set here.
#undef HWY_DISABLED_TARGETS
#if HWY_ARCH_ARM && defined(HWY_NEON_BF16)
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_NEON | HWY_NEON_BF16)
#elif HWY_ARCH_ARM && defined(HWY_NEON_WITHOUT_AES)
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_NEON)
#elif HWY_ARCH_ARM
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#elif defined(HWY_AVX3_ZEN4) && defined(HWY_AVX3_SPR)
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_AVX3_ZEN4 | HWY_AVX3_SPR)
#elif defined(HWY_AVX3_ZEN4)
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_AVX3_ZEN4)
#else
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif

#include <cstddef>
#include <cstdint>

// Goes after the parameters of a lambda: compiles it for the target and inlines it into the loop that calls it.
#define GRADUS_INLINE_LAMBDA HWY_ATTR __attribute__((always_inline))

#include <gradus/tensor/kernels/simd/simd_dispatch.hpp>

#endif  // GRADUS_TENSOR_KERNELS_SIMD_ONCE

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if defined(GRADUS_TENSOR_KERNELS_SIMD_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_SIMD_INL
#undef GRADUS_TENSOR_KERNELS_SIMD_INL
#else
#define GRADUS_TENSOR_KERNELS_SIMD_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Loads the first `count` < Lanes(d) lanes from p and sets the others to zero. Reads no byte after them.
template <class D>
HWY_INLINE hn::Vec<D> LoadPart(D d, const hn::TFromD<D>* p, size_t count) {
#if HWY_TARGET <= HWY_AVX2
  if constexpr (sizeof(hn::TFromD<D>) >= 4 || HWY_TARGET < HWY_AVX2) {
    return hn::MaskedLoad(hn::FirstN(d, count), d, p);
  }
#endif
  HWY_ALIGN hn::TFromD<D> lanes[HWY_MAX(hn::MaxLanes(d), size_t{1})] = {};
  for (size_t i = 0; i < count; ++i) lanes[i] = p[i];
  return hn::Load(d, lanes);
}

/// Stores the first `count` < Lanes(d) lanes of v to p. Writes no byte after them. With AVX2 it stores halves, because
/// masked stores are slower than several plain ones on some machines.
template <class D>
HWY_INLINE void StorePart(D d, hn::Vec<D> v, hn::TFromD<D>* p, size_t count) {
#if HWY_TARGET < HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(d, count), d, p);
#elif HWY_TARGET == HWY_AVX2
  if constexpr (hn::MaxLanes(d) > 1) {
    const hn::Half<D> half;
    constexpr size_t kHalf = hn::MaxLanes(half);
    if (count < kHalf) return StorePart(half, hn::LowerHalf(half, v), p, count);
    hn::StoreU(hn::LowerHalf(half, v), half, p);
    StorePart(half, hn::UpperHalf(half, v), p + kHalf, count - kHalf);
  }
#else
  HWY_ALIGN hn::TFromD<D> lanes[HWY_MAX(hn::MaxLanes(d), size_t{1})];
  hn::Store(v, d, lanes);
  for (size_t i = 0; i < count; ++i) p[i] = lanes[i];
#endif
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

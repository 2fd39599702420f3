// SPDX-License-Identifier: MIT

// The one door to Highway. A kernel .cpp defines HWY_TARGET_INCLUDE as its own path and includes this file first, which
// compiles that .cpp once per target; the -inl.hpp files include it too. Hence no #pragma once: one part is guarded to
// be seen once, the other once per target.

#ifndef GRADUS_TENSOR_KERNELS_SIMD_ONCE
#define GRADUS_TENSOR_KERNELS_SIMD_ONCE

// Without SSE2 (Highway before 1.0.4) the baseline is Highway's one-lane code with every compiler: its emulated 128-bit
// vectors are broken under GCC before 12.3, and two kinds of baseline would be tested half as well.
#undef HWY_BROKEN_EMU128
#define HWY_BROKEN_EMU128 1
#include <hwy/detect_targets.h>

// Three targets serve any x86-64 and keep compile time down: the compiler's baseline, AVX2 with FMA, and AVX-512.
// Highway expands this macro only where it is used, so it may still be set here.
#undef HWY_DISABLED_TARGETS
#if defined(HWY_AVX3_ZEN4) && defined(HWY_AVX3_SPR)
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_AVX3_ZEN4 | HWY_AVX3_SPR)
#elif defined(HWY_AVX3_ZEN4)
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_AVX3_ZEN4)
#else
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif

#include <cstddef>
#include <cstdint>

// Behind the parameters of a lambda: compiled for the target and made part of the loop that calls it.
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

/// Loads the first `count` < Lanes(d) lanes from p, the others as zero; touches no byte beyond them.
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

/// Stores the first `count` < Lanes(d) lanes of v to p; touches no byte beyond them. Without AVX-512 by halves: masked
/// stores take some machines longer than all of them.
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

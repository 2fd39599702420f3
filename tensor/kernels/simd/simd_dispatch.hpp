// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <type_traits>

#include <gradus/tensor/kernels/common/instances.hpp>

namespace gradus::kernels {

/// The instruction set in use. 0: the baseline (NEON on Arm), 1: AVX2, 2: AVX-512. It is zero until static
/// initialisation, which is always safe.
extern std::atomic<int> simd_level;

/// The version of one function for the level in use. A level is never in use when the build has no version for it.
template <class F>
inline F* select_target(F* baseline, std::type_identity_t<F>* avx2, std::type_identity_t<F>* avx512) {
  const int level = simd_level.load(std::memory_order_relaxed);
  return level == 2 ? avx512 : level == 1 ? avx2 : baseline;
}

}  // namespace gradus::kernels

/// GRADUS_SIMD(name)(arguments...) calls gradus::kernels::N_<target>::name; for templates write GRADUS_SIMD(run<T>).
/// Use it inside namespace gradus::kernels, in the part of a kernel file under `#if HWY_ONCE`. A build whose flags
/// raise the baseline has no other versions at or below that level.
#define GRADUS_SIMD(...)                                                                             \
  ::gradus::kernels::select_target(&HWY_STATIC_DISPATCH(__VA_ARGS__), GRADUS_SIMD_AVX2(__VA_ARGS__), \
                                   GRADUS_SIMD_AVX512(__VA_ARGS__))

#if HWY_STATIC_TARGET > HWY_AVX2 && (HWY_TARGETS & HWY_AVX2)
#define GRADUS_SIMD_AVX2(...) &N_AVX2::__VA_ARGS__
#else
#define GRADUS_SIMD_AVX2(...) nullptr
#endif

#if HWY_STATIC_TARGET > HWY_AVX3 && (HWY_TARGETS & HWY_AVX3)
#define GRADUS_SIMD_AVX512(...) &N_AVX3::__VA_ARGS__
#else
#define GRADUS_SIMD_AVX512(...) nullptr
#endif

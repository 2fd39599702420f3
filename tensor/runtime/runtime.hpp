// SPDX-License-Identifier: MIT
// How many threads and which instruction set the kernels use.
#pragma once

#include <span>

#include <gradus/tensor/api.hpp>

namespace gradus {

/// Sets how many threads kernels may use from now on, in this process. Throws Error unless 1 <= count <= 1024. No
/// result depends on it, because work is split by size and never by the number of threads.
GRADUS_API void set_num_threads(int count);

/// The number of threads that kernels may use. At first it is the number of cores available to this process. In the
/// child of a fork() it is 1, whatever is set, when the parent had more than one thread: those do not exist in the
/// child.
GRADUS_API int num_threads();

/// The instruction sets that this build has kernels for and this machine can run, lowest first: on x86-64 the baseline
/// ("sse2", or "scalar" with a Highway older than 1.0.4), then "avx2" and "avx512"; on 64-bit Arm only "neon".
GRADUS_API std::span<const char* const> simd_targets();

/// The name of the instruction set in use: the last of simd_targets(), unless another one was forced.
GRADUS_API const char* simd_target();

/// Makes every kernel of this process use the named instruction set; nullptr returns to the automatic choice. The
/// results of different sets differ in the last bits. Throws Error for an unknown name or one that cannot run here.
GRADUS_API void force_simd_target(const char* name);

/// OpenBLAS's name for the kernels that it runs here ("Haswell", "Zen", "SkylakeX", ...). Large matrix products use
/// them. Loads OpenBLAS, and throws Error when it cannot be loaded. When OpenBLAS would use narrower vectors than the
/// processor has, gradus chooses the kernels, unless the environment sets OPENBLAS_CORETYPE.
GRADUS_API const char* blas_core_type();

}  // namespace gradus

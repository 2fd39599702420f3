// SPDX-License-Identifier: MIT
// How many threads and which instruction set the kernels use.
#pragma once

#include <span>

#include <gradus/tensor/api.hpp>

namespace gradus {

/// How many threads kernels may use from now on, in this process; throws Error unless 1 <= count <= 1024. No result
/// depends on it: work is cut by size, never by the number of threads.
GRADUS_API void set_num_threads(int count);

/// The number of threads kernels may use; at first, the number of cores this process may run on. In the child of a
/// fork() it is 1, whatever is set, when the parent had more than one thread: those do not exist there.
GRADUS_API int num_threads();

/// Names of the instruction sets that this build has kernels for and this machine can run, lowest first: the baseline
/// ("sse2", or "scalar" where Highway is older than 1.0.4), then "avx2" and "avx512".
GRADUS_API std::span<const char* const> simd_targets();

/// Name of the instruction set in use: the last of simd_targets() unless another one was forced.
GRADUS_API const char* simd_target();

/// Makes every kernel of this process use the named instruction set; nullptr returns to the automatic choice. Results
/// of different sets differ in the last bits. Throws Error for a name that is unknown or cannot run here.
GRADUS_API void force_simd_target(const char* name);

/// OpenBLAS's name for the kernels that it runs here ("Haswell", "Zen", "SkylakeX", ...): what large matrix products
/// use. Loads OpenBLAS; throws Error when it cannot be loaded. Where OpenBLAS would choose narrower vectors than the
/// processor has, gradus chooses for it, unless the environment sets OPENBLAS_CORETYPE.
GRADUS_API const char* blas_core_type();

}  // namespace gradus

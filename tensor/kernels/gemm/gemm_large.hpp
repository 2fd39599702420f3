// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <gradus/tensor/kernels/gemm/blas.hpp>

namespace gradus::kernels {

/// The product p by our kernel, for many rows of a plain A: B is packed once for all of them. Blocks of rows run on
/// several threads. Each element of C has the bits that gemm_packed gives it. Requires trans_a false, alpha 1,
/// beta 0, and k from 1 to kLargestSum, because it packs all k rows of some columns at once.
inline constexpr int64_t kLargestSum = 16384;

template <class T>
void gemm_large(const Gemm<T>& p);

}  // namespace gradus::kernels

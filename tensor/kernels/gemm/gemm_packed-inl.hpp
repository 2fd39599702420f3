// SPDX-License-Identifier: MIT

// gemm_packed for code that is itself compiled once per target: the same function without the dispatch. It is defined
// in gemm.cpp.

#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_GEMM_PACKED_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_GEMM_PACKED_INL
#undef GRADUS_TENSOR_KERNELS_GEMM_PACKED_INL
#else
#define GRADUS_TENSOR_KERNELS_GEMM_PACKED_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
void RunPacked(const PackedGemm<T>& p);

extern template void RunPacked<float>(const PackedGemm<float>&);
extern template void RunPacked<double>(const PackedGemm<double>&);

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

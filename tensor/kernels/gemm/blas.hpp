// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// C [m, n] = alpha * op(A) [m, k] * op(B) [k, n] + beta * C, all row-major, where op(X) is X or its transpose, and ld
/// is the distance between the rows of the matrix as it is stored.
template <class T>
struct Gemm {
  bool trans_a = false;
  bool trans_b = false;
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  T alpha = 1;
  const T* a = nullptr;
  int64_t lda = 0;
  const T* b = nullptr;
  int64_t ldb = 0;
  T beta = 0;  ///< 0 overwrites C without reading it
  T* c = nullptr;
  int64_t ldc = 0;
  const T* bias = nullptr;  ///< [n], added to each row of C; needs alpha 1 and beta 0; only for gemm and gemm_large
};

/// Loads the library of this name; throws when it does not exist or is not OpenBLAS. The first call of blas_gemm does
/// this with the library that the build found.
void require_openblas(const char* file);

/// Computes the product with OpenBLAS, on the calling thread only, for every build of OpenBLAS. Sizes and lds must be
/// below 2^31, and m, n and k must not be zero.
template <class T>
void blas_gemm(const Gemm<T>& product);

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT
#include <cblas.h>

#include <optional>

#include <gradus/tensor/kernels/blas.hpp>
#include <gradus/tensor/parallel.hpp>

namespace gradus::kernels {
namespace {

constexpr int kOpenMpFlavour = 2;  // what openblas_get_parallel() says of a build on OpenMP

// A build on pthreads, or a serial one, obeys one call for the whole process. A build on OpenMP asks OpenMP for the
// number of threads at each product, so that each product has to be guarded.
bool needs_guard() {
  static const bool is_openmp = [] {
    const bool openmp = openblas_get_parallel() == kOpenMpFlavour;
    if (!openmp) openblas_set_num_threads(1);
    return openmp;
  }();
  return is_openmp;
}

CBLAS_TRANSPOSE transpose(bool flag) { return flag ? CblasTrans : CblasNoTrans; }

}  // namespace

template <class T>
void blas_gemm(const Gemm<T>& p) {
  std::optional<detail::OneThreadScope> one_thread;
  if (needs_guard()) one_thread.emplace();
  const auto m = static_cast<blasint>(p.m), n = static_cast<blasint>(p.n), k = static_cast<blasint>(p.k);
  const auto lda = static_cast<blasint>(p.lda), ldb = static_cast<blasint>(p.ldb), ldc = static_cast<blasint>(p.ldc);
  const CBLAS_TRANSPOSE ta = transpose(p.trans_a), tb = transpose(p.trans_b);
  if constexpr (sizeof(T) == sizeof(float)) {
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, p.alpha, p.a, lda, p.b, ldb, p.beta, p.c, ldc);
  } else {
    cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, p.alpha, p.a, lda, p.b, ldb, p.beta, p.c, ldc);
  }
}

template void blas_gemm<float>(const Gemm<float>&);
template void blas_gemm<double>(const Gemm<double>&);

}  // namespace gradus::kernels

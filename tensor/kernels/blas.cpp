// SPDX-License-Identifier: MIT
#include <cblas.h>
#include <dlfcn.h>

#include <cstdlib>
#include <optional>

#include <gradus/tensor/check.hpp>
#include <gradus/tensor/kernels/blas.hpp>
#include <gradus/tensor/parallel.hpp>
#include <gradus/tensor/reference_count.hpp>

namespace gradus::kernels {
namespace {

constexpr int kOpenMpFlavour = 2;  // what openblas_get_parallel() says of a build on OpenMP

// OpenBLAS is loaded at the first product that wants it. Most small models never do, and its usual build starts a
// thread for each core when it is loaded, after which every reference count in the process has to be atomic.
struct OpenBlas {
  decltype(&cblas_sgemm) sgemm;
  decltype(&cblas_dgemm) dgemm;
  // A build on pthreads, or a serial one, obeys one call for the whole process. A build on OpenMP asks OpenMP for the
  // number of threads at each product, so that each product has to be guarded.
  bool needs_guard;

  explicit OpenBlas(const char* file) {
    void* library = open(file);
    GRADUS_CHECK(library != nullptr, "[matmul] OpenBLAS cannot be loaded: expected ", file,
                 " where the system looks for libraries (Debian: apt-get install libopenblas0), got ", dlerror());
    find(library, file, "cblas_sgemm", sgemm);
    find(library, file, "cblas_dgemm", dgemm);
    decltype(&openblas_get_parallel) get_parallel;
    decltype(&openblas_set_num_threads) set_num_threads;
    find(library, file, "openblas_get_parallel", get_parallel);
    find(library, file, "openblas_set_num_threads", set_num_threads);
    needs_guard = get_parallel() == kOpenMpFlavour;
    if (!needs_guard) set_num_threads(1);
  }

 private:
  // With this name set, it starts no threads at all. The environment may be touched while nobody else can read it.
  static void* open(const char* file) {
    constexpr const char* kName = "OPENBLAS_NUM_THREADS";
    const bool alone = detail::single_threaded() && std::getenv(kName) == nullptr;
    if (alone) setenv(kName, "1", 0);
    void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (alone) unsetenv(kName);
    return library;
  }

  template <class Function>
  static void find(void* library, const char* file, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    GRADUS_CHECK(function != nullptr, "[matmul] expected OpenBLAS in ", file, ", which has no function ", name);
  }
};

const OpenBlas& openblas() {
  static const OpenBlas library(GRADUS_OPENBLAS);
  return library;
}

CBLAS_TRANSPOSE transpose(bool flag) { return flag ? CblasTrans : CblasNoTrans; }

}  // namespace

void require_openblas(const char* file) { const OpenBlas library(file); }

template <class T>
void blas_gemm(const Gemm<T>& p) {
  std::optional<detail::OneThreadScope> one_thread;
  const OpenBlas& library = openblas();
  if (library.needs_guard) one_thread.emplace();
  const auto m = static_cast<blasint>(p.m), n = static_cast<blasint>(p.n), k = static_cast<blasint>(p.k);
  const auto lda = static_cast<blasint>(p.lda), ldb = static_cast<blasint>(p.ldb), ldc = static_cast<blasint>(p.ldc);
  const CBLAS_TRANSPOSE ta = transpose(p.trans_a), tb = transpose(p.trans_b);
  if constexpr (sizeof(T) == sizeof(float)) {
    library.sgemm(CblasRowMajor, ta, tb, m, n, k, p.alpha, p.a, lda, p.b, ldb, p.beta, p.c, ldc);
  } else {
    library.dgemm(CblasRowMajor, ta, tb, m, n, k, p.alpha, p.a, lda, p.b, ldb, p.beta, p.c, ldc);
  }
}

template void blas_gemm<float>(const Gemm<float>&);
template void blas_gemm<double>(const Gemm<double>&);

}  // namespace gradus::kernels

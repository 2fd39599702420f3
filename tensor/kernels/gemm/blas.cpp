// SPDX-License-Identifier: MIT
#include <cblas.h>
#include <dlfcn.h>

#include <cstdlib>
#include <optional>
#include <span>
#include <string>

#include <gradus/tensor/error.hpp>
#include <gradus/tensor/kernels/common/instances.hpp>
#include <gradus/tensor/kernels/gemm/blas.hpp>
#include <gradus/tensor/kernels/gemm/blas_core.hpp>
#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

namespace gradus::kernels {
namespace {

constexpr int kOpenMpFlavour = 2;  // what openblas_get_parallel() says of a build on OpenMP

// OpenBLAS is loaded at the first product that uses it. Most small models never do. Its usual build starts a thread for
// each core when it is loaded, and then every reference count in the process has to be atomic.
struct OpenBlas {
  decltype(&cblas_sgemm) sgemm;
  decltype(&cblas_dgemm) dgemm;
  const char* core;  // the core type that it runs
  // A build with pthreads, and a serial one, use one thread after a single call for the whole process. A build with
  // OpenMP asks OpenMP for the number of threads at each product, so each product has to be guarded.
  bool needs_guard;

  explicit OpenBlas(const char* file) {
    void* library = open(file, nullptr);
    // A version older than the processor takes it for one of the oldest types, and is then five times slower. OpenBLAS
    // reads the core type only when it is loaded, so it is loaded a second time. A core type that the user has set is
    // kept.
    const char* wider = wider_blas_core(core_of(library, file), simd_targets().back());
    if (wider != nullptr && std::getenv("OPENBLAS_CORETYPE") == nullptr) {
      dlclose(library);
      library = open(file, wider);
    }
    core = core_of(library, file);
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
  // Loads OpenBLAS with the number of threads set to one, so that it starts no threads.
  static void* open(const char* file, const char* core_type) {
    const std::string core = std::string("OPENBLAS_CORETYPE=") + (core_type == nullptr ? "" : core_type);
    const char* assignments[] = {"OPENBLAS_NUM_THREADS=1", core.c_str()};
    void* library = open_with_environment(file, std::span(assignments, core_type == nullptr ? 1 : 2));
    GRADUS_CHECK(library != nullptr, "[matmul] OpenBLAS cannot be loaded: expected ", file,
                 " where the system looks for libraries (Debian: apt-get install libopenblas0), got ", dlerror());
    return library;
  }

  static const char* core_of(void* library, const char* file) {
    decltype(&openblas_get_corename) get_corename;
    find(library, file, "openblas_get_corename", get_corename);
    return get_corename();
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

GRADUS_FLOAT_AND_DOUBLE(blas_gemm)

}  // namespace gradus::kernels

const char* gradus::blas_core_type() { return kernels::openblas().core; }

// SPDX-License-Identifier: MIT
// Makes OpenBLAS take this processor for an old one. OpenBLAS asks the environment for the core type first, and this
// program's getenv answers "Prescott" to OpenBLAS only. The argument is the core type that gradus must then use; "wide"
// means any that is as wide as the SIMD target. Also checks a product that OpenBLAS computes.
#include <dlfcn.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <gradus/tensor/kernels/gemm/blas.hpp>
#include <gradus/tensor/kernels/gemm/blas_core.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

extern "C" [[gnu::visibility("default")]] char* getenv(const char* name) noexcept {
  const size_t length = std::strlen(name);
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') return *entry + length + 1;
  }
  Dl_info caller{};
  const bool asked_by_blas = dladdr(__builtin_return_address(0), &caller) != 0 && caller.dli_fname != nullptr &&
                             std::strstr(caller.dli_fname, "libopenblas") != nullptr;
  static char old[] = "Prescott";
  return asked_by_blas && std::strcmp(name, "OPENBLAS_CORETYPE") == 0 ? old : nullptr;
}

namespace {

// C = A B of small whole numbers, which is exact in any order of addition.
bool product_is_right() {
  constexpr int64_t kSize = 150;
  std::vector<float> a(kSize * kSize), b(kSize * kSize), c(kSize * kSize);
  for (int64_t i = 0; i < kSize * kSize; ++i) {
    a[static_cast<size_t>(i)] = static_cast<float>(i % 7 - 3);
    b[static_cast<size_t>(i)] = static_cast<float>(i % 11 - 5);
  }
  gradus::kernels::blas_gemm<float>({.m = kSize,
                                     .n = kSize,
                                     .k = kSize,
                                     .a = a.data(),
                                     .lda = kSize,
                                     .b = b.data(),
                                     .ldb = kSize,
                                     .c = c.data(),
                                     .ldc = kSize});
  for (int64_t i = 0; i < kSize; ++i) {
    for (int64_t j = 0; j < kSize; ++j) {
      float sum = 0;
      for (int64_t k = 0; k < kSize; ++k) {
        sum += a[static_cast<size_t>(i * kSize + k)] * b[static_cast<size_t>(k * kSize + j)];
      }
      if (sum != c[static_cast<size_t>(i * kSize + j)]) return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string expected = argv[1];
  const std::string target = gradus::simd_targets().back();
  if (expected == "wide" && target != "avx2" && target != "avx512") return 77;
  const std::string core = gradus::blas_core_type();
  std::printf("SIMD target %s, OpenBLAS core type %s, expected %s\n", target.c_str(), core.c_str(), expected.c_str());
  if (!product_is_right()) {
    std::puts("the product is wrong");
    return 1;
  }
  if (expected == "wide") return core == (target == "avx2" ? "Haswell" : "SkylakeX") ? 0 : 1;
  return core == expected ? 0 : 1;
}

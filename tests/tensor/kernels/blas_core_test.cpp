// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/gemm/blas_core.hpp>

#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include <gradus/tensor/runtime/runtime.hpp>

#include "tests/support/catch.hpp"

using namespace gradus;

namespace {

std::string wider(const char* chosen, const char* target) {
  const char* core = kernels::wider_blas_core(chosen, target);
  return core == nullptr ? "" : core;
}

}  // namespace

TEST_CASE("blas core: a core narrower than the processor is replaced by one that fits") {
  CHECK(wider("Prescott", "avx512") == "SkylakeX");
  CHECK(wider("Sandybridge", "avx512") == "SkylakeX");
  CHECK(wider("Haswell", "avx512") == "SkylakeX");
  CHECK(wider("Zen", "avx512") == "SkylakeX");
  CHECK(wider("Prescott", "avx2") == "Haswell");
  CHECK(wider("Nehalem", "avx2") == "Haswell");
  CHECK(wider("Sandybridge", "avx2") == "Haswell");
}

TEST_CASE("blas core: what fits, and what has an unknown name, stays") {
  CHECK(wider("SkylakeX", "avx512").empty());
  CHECK(wider("Cooperlake", "avx512").empty());
  CHECK(wider("SapphireRapids", "avx512").empty());
  CHECK(wider("SomethingNew", "avx512").empty());
  CHECK(wider("Haswell", "avx2").empty());
  CHECK(wider("Zen", "avx2").empty());
  CHECK(wider("Prescott", "scalar").empty());
  CHECK(wider("Prescott", "sse2").empty());
}

TEST_CASE("blas core: the core in use is as wide as the widest SIMD target, unless the environment says otherwise") {
  const std::string core = blas_core_type();
  CHECK_FALSE(core.empty());
  if (std::getenv("OPENBLAS_CORETYPE") == nullptr) CHECK(wider(core.c_str(), simd_targets().back()).empty());
}

TEST_CASE("blas core: loading leaves the environment as it was") {
  char** const before = environ;
  const char* assignments[] = {"GRADUS_TEST_NO_SUCH_NAME=1"};
  CHECK(kernels::open_with_environment("libno_such_library.so.0", assignments) == nullptr);
  CHECK(dlerror() != nullptr);
  CHECK(environ == before);
  CHECK(std::getenv("GRADUS_TEST_NO_SUCH_NAME") == nullptr);
}

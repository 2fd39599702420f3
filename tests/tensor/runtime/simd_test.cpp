// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include <gradus/tensor/error.hpp>
#include <gradus/tensor/kernels/elementwise/elementwise.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

#include "tests/support/catch.hpp"

namespace gradus {
namespace {

TEST_CASE("the instruction sets of the machine are listed lowest first and the last one is the automatic choice") {
  const std::string forced_by_the_run = simd_target();
  const auto names = simd_targets();
  REQUIRE_FALSE(names.empty());
  const std::string lowest = names.front();
#ifdef __aarch64__
  CHECK(lowest == "neon");
  CHECK(names.size() == 1);
#else
  // A build for a single set, such as a sanitized one, has no lower set.
  if (names.size() > 1) CHECK((lowest == "scalar" || lowest == "sse2"));
#endif

  force_simd_target(nullptr);
  CHECK(std::string(simd_target()) == names.back());
  force_simd_target(forced_by_the_run.c_str());
}

TEST_CASE("every instruction set of the machine can be forced and computes") {
  const std::string forced_by_the_run = simd_target();
  for (const char* name : simd_targets()) {
    force_simd_target(name);
    CHECK(std::string(simd_target()) == name);
    std::vector<float> y(19);
    kernels::unary(kernels::UnaryFn::square, std::vector<float>(19, 3.0f).data(), y.data(), 19);
    CHECK(y == std::vector<float>(19, 9.0f));
  }
  force_simd_target(forced_by_the_run.c_str());
}

TEST_CASE("forcing an unknown instruction set is refused and changes nothing") {
  const std::string before = simd_target();
  std::string text;
  try {
    force_simd_target("avx1024");
  } catch (const Error& error) {
    text = error.what();
  }
  CHECK(text.find("[force_simd_target] unknown or unavailable target: expected one of ") == 0);
  CHECK(text.find("got avx1024") != std::string::npos);
  CHECK(std::string(simd_target()) == before);
}

}  // namespace
}  // namespace gradus

// SPDX-License-Identifier: MIT
// The main() of every test program. Two environment variables change how the tests run:
//   GRADUS_TEST_SIMD=<name>       forces one instruction set; if the machine lacks it, or uses it anyway, nothing runs
//                                 and the exit status means "skipped"
//   GRADUS_TEST_ALLOCATOR=poison  fills each freed block with NaN, so that reading one shows in the numbers
#ifdef GRADUS_CATCH_V3
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>

#include <gradus/tensor/memory/allocator.hpp>
#include <gradus/tensor/runtime/late_team.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

namespace {

constexpr int kSkipped = 77;  // ctest reads this status as "skipped"; see SKIP_RETURN_CODE in tests/CMakeLists.txt
constexpr int kBadEnvironment = 2;

// A test without an assertion fails. A run that finds no test fails too (Catch2 3 does that itself).
#ifdef GRADUS_CATCH_V3
constexpr auto kWarnings = Catch::WarnAbout::NoAssertions;
#else
constexpr auto kWarnings =
    static_cast<Catch::WarnAbout::What>(Catch::WarnAbout::NoAssertions | Catch::WarnAbout::NoTests);
#endif

std::string environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::string() : std::string(text);
}

}  // namespace

int main(int argc, char** argv) {
  if (const std::string simd = environment("GRADUS_TEST_SIMD"); !simd.empty()) {
    const auto names = gradus::simd_targets();
    if (std::find(names.begin(), names.end(), simd) == names.end()) {
      std::cout << "skipped: this machine or this build has no " << simd << " kernels\n";
      return kSkipped;
    }
    if (simd == gradus::simd_target()) {
      std::cout << "skipped: the tests without GRADUS_TEST_SIMD run on " << simd << "\n";
      return kSkipped;
    }
    gradus::force_simd_target(simd.c_str());
  }
  if (const std::string allocator = environment("GRADUS_TEST_ALLOCATOR"); allocator == "poison") {
    gradus::set_allocator_mode(gradus::AllocatorMode::poison);
  } else if (!allocator.empty()) {
    std::cerr << "GRADUS_TEST_ALLOCATOR knows 'poison', not '" << allocator << "'\n";
    return kBadEnvironment;
  }
  // Tests of several threads must have several, however busy the machine is.
  gradus::detail::set_notices_late_threads(false);
  Catch::Session session;
  session.configData().warnings = kWarnings;
  return session.run(argc, argv);
}

// SPDX-License-Identifier: MIT
#include <sstream>
#include <string>

#include <gradus/examples/gradcheck/library_check.hpp>
#include <gradus/tensor/api.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

#include "tests/examples/program.hpp"
#include "tests/support/catch.hpp"

using namespace gradus;
using gradus::tests::contains_text;

namespace {

void check_version(const std::string& out, const std::string& program) {
  CHECK_THAT(out, contains_text(program + " (gradus " GRADUS_VERSION ")\n"));
  CHECK_THAT(out, contains_text(std::string("SIMD target: ") + simd_target() + "\n"));
  CHECK_THAT(out, contains_text(std::string("OpenBLAS core type: ") + blas_core_type() + "\n"));
}

}  // namespace

TEST_CASE("--version says which kernels run here") {
  const tests::ProgramResult copy = tests::run_program({"--version"});
  CHECK(copy.status == 0);
  CHECK(copy.err.empty());
  check_version(copy.out, "copy_reverse");

  const char* arguments[] = {"gradus-gradcheck", "--version"};
  std::ostringstream out, err;
  CHECK(examples::gradus_gradcheck(2, arguments, out, err, false) == 0);
  CHECK(err.str().empty());
  check_version(out.str(), "gradus-gradcheck");
}

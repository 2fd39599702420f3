// SPDX-License-Identifier: MIT
#include <gradus/examples/common/version.hpp>

#include <gradus/tensor/api.hpp>
#include <gradus/tensor/error.hpp>
#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

namespace gradus::examples {

std::string version_text(const std::string& program) {
  std::string blas;
  try {
    blas = blas_core_type();
  } catch (const Error& error) {
    blas = error.what();
  }
  return program + " (gradus " GRADUS_VERSION ")\nSIMD target: " + simd_target() + "\nOpenBLAS core type: " + blas +
         "\nthreads: " + std::to_string(num_threads());
}

}  // namespace gradus::examples

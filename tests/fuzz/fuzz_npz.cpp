// SPDX-License-Identifier: MIT
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/readers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gradus::tests;
  return fuzz_one(
      data, size, {.fixed = 1 << 20, .for_byte = 4 * kMostGrowthDeflated},
      [](const std::string& path, uint64_t bytes) { check_reader(read_npz_file, path, bytes, kMostGrowthDeflated); });
}

// SPDX-License-Identifier: MIT
#include "tests/fuzz/memory_file.hpp"
#include "tests/fuzz/readers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gradus::tests;
  check_reader(read_npz_file, memory_file(data, size), size, kMostGrowthDeflated);
  return 0;
}

// SPDX-License-Identifier: MIT
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/readers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gradus::tests;
  return fuzz_one(data, size, {.fixed = 1 << 17, .for_byte = 128}, [](const std::string& path, uint64_t bytes) {
    check_reader(read_safetensors, path, bytes, kMostGrowth);
  });
}

// SPDX-License-Identifier: MIT
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/text_readers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gradus::tests;
  return fuzz_one(data, size, {.fixed = 1 << 17, .for_byte = 1024}, [=](const std::string& path, uint64_t /*bytes*/) {
    check_pairs(path, std::string_view(reinterpret_cast<const char*>(data), size));
  });
}

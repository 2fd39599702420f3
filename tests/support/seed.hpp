// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstdlib>

namespace gradus::tests {

/// The seed for the random data of a test: `standard`, or GRADUS_TEST_SEED when that is set. A test that draws numbers
/// must show it when it fails: `const uint64_t seed = tests::seed(17); INFO("seed " << seed);`.
inline uint64_t seed(uint64_t standard) {
  const char* text = std::getenv("GRADUS_TEST_SEED");
  return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : standard;
}

}  // namespace gradus::tests

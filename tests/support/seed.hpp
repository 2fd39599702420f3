// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstdlib>

namespace gradus::tests {

/// The seed of a test's random data: `standard`, unless GRADUS_TEST_SEED says otherwise. A test that draws numbers
/// shows it when it fails: `const uint64_t seed = tests::seed(17); INFO("seed " << seed);`.
inline uint64_t seed(uint64_t standard) {
  const char* text = std::getenv("GRADUS_TEST_SEED");
  return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : standard;
}

}  // namespace gradus::tests

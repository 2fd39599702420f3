// SPDX-License-Identifier: MIT
#pragma once

// Catch2 2.13 and 3 have the same macros in different headers, and some names in different places. Tests include this
// file and use `Approx` and `contains_text`.
#ifdef GRADUS_CATCH_V3
#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

#include <string>

namespace gradus::tests {

/// A matcher: the text contains `part`. `REQUIRE_THROWS_WITH(f(), tests::contains_text("[matmul]"))`.
inline auto contains_text(const std::string& part) {
#ifdef GRADUS_CATCH_V3
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

}  // namespace gradus::tests

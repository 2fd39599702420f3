// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>

/// For a user's own tests with Catch2, 2 or 3, whose header comes first: REQUIRE_GRADCHECK(f, inputs, options) runs
/// gradcheck with these arguments, and fails the test with the whole report when it does not pass. A module's check
/// takes its arguments too (include nn/check/gradcheck.hpp). No header of Catch2 is included here.
#define REQUIRE_GRADCHECK(...)                                                           \
  do {                                                                                   \
    const ::gradus::GradcheckReport gradcheck_report = ::gradus::gradcheck(__VA_ARGS__); \
    INFO(gradcheck_report.text());                                                       \
    REQUIRE(gradcheck_report.ok);                                                        \
  } while (false)

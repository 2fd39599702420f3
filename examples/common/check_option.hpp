// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>

#include <gradus/examples/common/bad_input.hpp>

namespace gradus::examples {

/// Throws BadInput that names the option, unless least <= value <= most.
inline void check_between(const char* option, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return;
  throw BadInput(std::string(option) + ": expected a number from " + std::to_string(least) + " to " +
                 std::to_string(most) + ", got " + std::to_string(value));
}

/// Throws BadInput that names the option and what was expected, unless `value` is finite and `fits`.
inline void check_real(const char* option, double value, bool fits, const char* expected) {
  if (std::isfinite(value) && fits) return;
  std::ostringstream got;
  got << value;
  throw BadInput(std::string(option) + ": expected " + expected + ", got " + got.str());
}

}  // namespace gradus::examples

// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <string>

namespace gradus::examples {

/// A check for CLI11's check(): empty for a whole number that fits T, otherwise the error. CLI11 itself silently
/// accepts an empty text and some numbers that are too large.
template <class T>
std::string refuse_no_number(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return "";
  return error == std::errc::result_out_of_range ? "a number that is too large: " + text
                                                 : "expected a whole number, got '" + text + "'";
}

/// The same for a number without sign: some versions of CLI11 turn -1 into 2^64 - 1.
inline std::string refuse_sign(std::string& text) {
  return text.empty() || text.front() != '-' ? "" : "expected a number from 0 on, got " + text;
}

}  // namespace gradus::examples

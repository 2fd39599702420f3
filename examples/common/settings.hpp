// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <charconv>
#include <string>
#include <type_traits>
#include <utility>

namespace gradus::examples {

/// An option with its value, for TrainerOptions::settings. Different numbers have different texts.
template <class T>
std::pair<std::string, std::string> setting(const char* option, const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    std::array<char, 64> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    return {option, std::string(text.data(), end)};
  } else {
    return {option, value};
  }
}

}  // namespace gradus::examples

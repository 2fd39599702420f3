// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace gradus::examples {

/// The symbols that a model knows, numbered from 0 by code point.
class Symbols {
 public:
  Symbols() = default;
  /// All symbols of `text`, each once.
  explicit Symbols(std::u32string text);

  int64_t count() const noexcept { return static_cast<int64_t>(all_.size()); }
  const std::u32string& all() const noexcept { return all_; }
  char32_t symbol(int64_t id) const { return all_.at(static_cast<size_t>(id)); }
  /// Empty for a symbol that is not among them.
  std::optional<int64_t> id(char32_t symbol) const;

 private:
  std::u32string all_;  // ascending
};

}  // namespace gradus::examples

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <gradus/examples/copy_reverse/data/item.hpp>

namespace gradus::examples {

/// The symbols that a model knows, with their numbers. Two numbers are marks instead of symbols.
class Vocabulary {
 public:
  static constexpr int64_t kEnd = 0;    ///< ends a target, and fills the shorter rows of a batch
  static constexpr int64_t kBegin = 1;  ///< the first input of the decoder

  Vocabulary() = default;
  /// All symbols of `text`, each once, numbered by code point.
  explicit Vocabulary(std::u32string text);
  /// For random sequences: a-z, A-Z, 0-9, then Chinese characters. Requires 1 <= count <= kMostLetters.
  static Vocabulary letters(int64_t count);
  static constexpr int64_t kMostLetters = 20'000;

  /// The count of numbers: symbols and marks. A model calls it its vocabulary size.
  int64_t size() const noexcept { return symbol_count() + kFirstSymbol; }
  int64_t symbol_count() const noexcept { return static_cast<int64_t>(symbols_.size()); }
  /// The symbols in the order of their numbers.
  const std::u32string& symbols() const noexcept { return symbols_; }

  bool contains(char32_t symbol) const;
  /// The first symbol of `item` that is not in the vocabulary.
  std::optional<char32_t> first_unknown(const Item& item) const;
  /// The number of the symbol. contains(symbol) must be true.
  int64_t id(char32_t symbol) const;
  /// The symbol of a number. A mark gives U+FFFD, the replacement character.
  char32_t symbol(int64_t id) const;

 private:
  static constexpr int64_t kFirstSymbol = 2;
  std::u32string symbols_;  // ascending
};

}  // namespace gradus::examples

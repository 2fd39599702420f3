// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/data/vocabulary.hpp>

#include <algorithm>

#include <gradus/tensor/error.hpp>

namespace gradus::examples {

Vocabulary::Vocabulary(std::u32string text) : symbols_(std::move(text)) {
  std::sort(symbols_.begin(), symbols_.end());
  symbols_.erase(std::unique(symbols_.begin(), symbols_.end()), symbols_.end());
}

Vocabulary Vocabulary::letters(int64_t count) {
  GRADUS_CHECK(count >= 1 && count <= kMostLetters, "[Vocabulary::letters] expected 1 to ", kMostLetters,
               " symbols, got ", count);
  std::u32string all = U"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  constexpr char32_t kFirstChinese = 0x4E00;
  for (char32_t next = kFirstChinese; all.size() < static_cast<size_t>(count); ++next) all += next;
  all.resize(static_cast<size_t>(count));
  return Vocabulary(std::move(all));
}

bool Vocabulary::contains(char32_t symbol) const {
  return std::binary_search(symbols_.begin(), symbols_.end(), symbol);
}

std::optional<char32_t> Vocabulary::first_unknown(const Item& item) const {
  const auto found = std::find_if(item.begin(), item.end(), [this](char32_t symbol) { return !contains(symbol); });
  return found == item.end() ? std::nullopt : std::optional<char32_t>(*found);
}

int64_t Vocabulary::id(char32_t symbol) const {
  const auto found = std::lower_bound(symbols_.begin(), symbols_.end(), symbol);
  GRADUS_CHECK(found != symbols_.end() && *found == symbol, "[Vocabulary::id] no such symbol: U+",
               static_cast<int64_t>(symbol), " (decimal)");
  return kFirstSymbol + (found - symbols_.begin());
}

char32_t Vocabulary::symbol(int64_t id) const {
  GRADUS_CHECK(id >= 0 && id < size(), "[Vocabulary::symbol] expected a number below ", size(), ", got ", id);
  constexpr char32_t kReplacement = 0xFFFD;
  return id < kFirstSymbol ? kReplacement : symbols_[static_cast<size_t>(id - kFirstSymbol)];
}

}  // namespace gradus::examples

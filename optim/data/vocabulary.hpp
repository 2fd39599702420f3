// SPDX-License-Identifier: MIT
// Vocabulary: the symbols of texts and their numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gradus/tensor/api.hpp>

namespace gradus {

/// What counts as one symbol of a text: a Unicode code point, a word (between blanks) or a byte.
enum class SymbolUnit : uint8_t { code_point, word, byte };

struct VocabularyOptions {
  SymbolUnit unit = SymbolUnit::code_point;
  /// Symbols that occur less often are left out.
  int64_t least_count = 1;
  /// The numbers 0, 1, 2 and 3 are marks. A model of a text without begin and end needs none.
  bool marks = true;
};

/// The symbols that a model knows, numbered in ascending order of their bytes, after the marks. A symbol that is not
/// known has the number kUnknown; without marks, it is an error.
class GRADUS_API Vocabulary {
 public:
  static constexpr int64_t kPad = 0;      ///< fills the shorter rows of a batch
  static constexpr int64_t kBegin = 1;    ///< the first input of a decoder
  static constexpr int64_t kEnd = 2;      ///< ends a target
  static constexpr int64_t kUnknown = 3;  ///< stands for each symbol that is not known

  /// All symbols of the texts, each once. Throws when a text is not UTF-8 (bytes are always right).
  explicit Vocabulary(const std::vector<std::string>& texts, const VocabularyOptions& options = {});

  /// The symbols of a file, which is read piece by piece and need not fit into memory. Throws also when it cannot be
  /// read.
  static Vocabulary of_file(const std::string& path, const VocabularyOptions& options = {});

  /// The number of symbols and marks. A model calls it its vocabulary size.
  int64_t size() const noexcept { return first_ + static_cast<int64_t>(symbols_.size()); }
  SymbolUnit unit() const noexcept { return unit_; }
  bool has_marks() const noexcept { return first_ > 0; }
  /// Empty when the symbol is not known.
  std::optional<int64_t> find(std::string_view symbol) const;
  /// The symbol of a number; empty for a mark. Throws unless 0 <= id < size().
  const std::string& symbol(int64_t id) const;

  /// The numbers of the symbols of a text, without begin and end. Throws when the text is not UTF-8, and, without
  /// marks, at the first symbol that is not known.
  std::vector<int64_t> encode(std::string_view text) const;
  /// The text of these numbers up to the first kEnd. kPad and kBegin are left out, kUnknown becomes U+FFFD; words are
  /// joined by one blank.
  std::string decode(std::span<const int64_t> ids) const;

  /// One line for each symbol, for a file or the metadata of one; from_text reads it. Throws when `text` is not such a
  /// text.
  std::string to_text() const;
  static Vocabulary from_text(const std::string& text);

 private:
  Vocabulary(SymbolUnit unit, bool marks, std::vector<std::string> symbols);

  SymbolUnit unit_;
  int64_t first_;
  std::vector<std::string> symbols_;  // ascending
  std::vector<int64_t> of_byte_;      // the number of a symbol of one byte, -1 when it is not known
};

}  // namespace gradus

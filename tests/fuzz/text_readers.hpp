// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gradus/optim/data/batches.hpp>
#include <gradus/optim/data/text_rows.hpp>
#include <gradus/optim/data/vocabulary.hpp>
#include <gradus/tensor/error.hpp>

// What must hold for every text, right or broken, that a reader is given. The fuzzers run it on what they make up, a
// test on the texts of the corpus. Each function throws std::logic_error when it does not hold, and returns the text of
// the reader's error, which is empty when the text was read.

namespace gradus::tests {

inline void require_text(bool holds, const std::string& what) {
  if (!holds) throw std::logic_error(what);
}

/// Runs a reader, which may throw an Error that begins with `begin` and nothing else.
template <class Read>
std::string text_error(const std::string& begin, const Read& read) {
  try {
    read();
  } catch (const Error& error) {
    const std::string text = error.what();
    require_text(text.rfind(begin, 0) == 0, "expected an error that begins with " + begin + ", got " + text);
    return text;
  }
  return {};
}

/// Where the first bytes are that are not UTF-8, or the size. By the table of Unicode 15, 3-7: no overlong forms, no
/// surrogates, nothing above U+10FFFF.
inline size_t size_of_utf8(std::string_view text) {
  const auto byte = [&](size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
  for (size_t i = 0; i < text.size();) {
    const unsigned first = byte(i), second = byte(i + 1);
    const size_t length = first < 0x80   ? 1
                          : first < 0xC2 ? 0
                          : first < 0xE0 ? 2
                          : first < 0xF0 ? 3
                          : first < 0xF5 ? 4
                                         : 0;
    if (length == 0) return i;
    const unsigned least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (length > 1 && (second < least || second > most)) return i;
    for (size_t k = 2; k < length; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return i;
    }
    i += length;
  }
  return text.size();
}

inline bool is_utf8(std::string_view text) { return size_of_utf8(text) == text.size(); }

/// The lines of a text that are not empty, with their numbers.
struct ExpectedLine {
  std::string_view text;
  int64_t number;
};

inline std::vector<ExpectedLine> expected_lines(std::string_view bytes) {
  if (bytes.substr(0, 3) == "\xEF\xBB\xBF") bytes.remove_prefix(3);
  std::vector<ExpectedLine> out;
  int64_t number = 0;
  for (size_t at = 0; at < bytes.size();) {
    const size_t end = std::min(bytes.find('\n', at), bytes.size());
    std::string_view line = bytes.substr(at, end - at);
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!line.empty()) out.push_back({line, number});
    at = end + 1;
  }
  return out;
}

/// The text of the error that read_lines (columns: 0) or read_pairs must throw; empty without one.
inline std::string expected_error(const std::string& begin, const std::vector<ExpectedLine>& lines, int64_t columns) {
  for (const ExpectedLine& line : lines) {
    if (is_utf8(line.text)) continue;
    return detail::join(begin, ", line ", line.number, ": this is not valid UTF-8 at byte ",
                        1 + size_of_utf8(line.text));
  }
  if (lines.empty()) return begin + " has no line that is not empty";
  for (const ExpectedLine& line : lines) {
    const int64_t has = 1 + std::count(line.text.begin(), line.text.end(), '\t');
    if (has < columns) {
      return detail::join(begin, ", line ", line.number, ": expected at least ", columns,
                          " columns with a tab between them, got ", has);
    }
  }
  return {};
}

inline std::string_view expected_cell(std::string_view line, int64_t column) {
  for (; column > 0; --column) line.remove_prefix(line.find('\t') + 1);
  return line.substr(0, line.find('\t'));
}

/// read_numbered_lines, and read_pairs with tags and without.
inline std::string check_pairs(const std::string& path, std::string_view bytes) {
  const std::vector<ExpectedLine> expected = expected_lines(bytes);
  std::vector<TextLine> lines;
  const std::string begin = "[read_numbered_lines] " + path;
  std::string error = text_error(begin, [&] { lines = read_numbered_lines(path); });
  require_text(error == expected_error(begin, expected, 0), "read_numbered_lines: another error: " + error);
  require_text(!error.empty() || lines.size() == expected.size(), "read_numbered_lines: another number of lines");
  for (size_t i = 0; i < lines.size(); ++i) {
    require_text(lines[i].text == expected[i].text && lines[i].line == expected[i].number,
                 "read_numbered_lines: another line");
  }
  for (const PairColumns columns : {PairColumns{}, PairColumns{.tags = 2}, PairColumns{.source = 2, .target = 0}}) {
    std::vector<TextPair> pairs;
    error = text_error("[read_pairs] " + path, [&] { pairs = read_pairs(path, columns); });
    const int64_t least = std::max({columns.source, columns.target, columns.tags}) + 1;
    require_text(error == expected_error("[read_pairs] " + path, expected, least),
                 "read_pairs: another error: " + error);
    require_text(!error.empty() || pairs.size() == expected.size(), "read_pairs: another number of pairs");
    for (size_t i = 0; i < pairs.size(); ++i) {
      const auto cell = [&](int64_t column) { return expected_cell(expected[i].text, column); };
      require_text(pairs[i].line == expected[i].number && pairs[i].source == cell(columns.source) &&
                       pairs[i].target == cell(columns.target) &&
                       pairs[i].tags == (columns.tags < 0 ? "" : cell(columns.tags)),
                   "read_pairs: another pair");
    }
  }
  return error;
}

/// A vocabulary that was read: its text gives it again, and each symbol its number.
inline void check_symbols(const Vocabulary& v) {
  const std::string text = v.to_text();
  require_text(Vocabulary::from_text(text).to_text() == text, "the text of a vocabulary gives another one");
  std::vector<int64_t> ids;
  for (int64_t id = v.has_marks() ? 4 : 0; id < v.size(); ++id) ids.push_back(id);
  require_text(v.encode(v.decode(ids)) == ids, "the symbols of a vocabulary have other numbers");
}

/// Vocabulary::from_text.
inline std::string check_vocabulary(const std::string& /*path*/, std::string_view bytes) {
  std::optional<Vocabulary> v;
  std::string error = text_error("[Vocabulary::from_text] ", [&] { v = Vocabulary::from_text(std::string(bytes)); });
  if (v.has_value()) check_symbols(*v);
  return error;
}

/// Reads windows until an error or the fourth window.
inline std::string check_rows(const std::string& path, const Vocabulary& v, const TextRowsOptions& options) {
  return text_error("[TextRows] " + path, [&] {
    TextRows rows(path, v, options), again(path, v, options);
    for (int i = 0; i < 4; ++i) {
      again.load_state_dict(rows.state_dict());
      const TextWindow window = rows.next();
      require_text(bitwise_equal(window.input.slice(1, 1, options.steps), window.target.slice(1, 0, options.steps - 1)),
                   "the targets are not the symbols that follow");
      require_text(bitwise_equal(window.target, again.next().target), "a state that was loaded gives another window");
    }
  });
}

/// Vocabulary::of_file and TextRows.
inline std::string check_text(const std::string& path, std::string_view bytes) {
  std::string first;
  const std::string whole(bytes);
  for (const SymbolUnit unit : {SymbolUnit::code_point, SymbolUnit::word, SymbolUnit::byte}) {
    std::optional<Vocabulary> v;
    const std::string error = text_error("[Vocabulary::of_file] " + path,
                                         [&] { v = Vocabulary::of_file(path, {.unit = unit, .marks = false}); });
    if (unit == SymbolUnit::code_point) first = error;
    if (unit != SymbolUnit::byte && !is_utf8(bytes)) require_text(!error.empty(), "what is not UTF-8 is accepted");
    if (!v.has_value()) continue;
    require_text(v->to_text() == Vocabulary({whole}, {.unit = unit, .marks = false}).to_text(),
                 "the pieces of a file give another vocabulary than the whole");
    check_symbols(*v);
    if (unit == SymbolUnit::word) continue;
    require_text(v->decode(v->encode(whole)) == whole, "a text is not what its numbers say");
    if (unit == SymbolUnit::byte) {
      check_rows(path, *v, {.rows = 1, .steps = 2, .begin = 0.25, .end = 0.75});
    } else {
      check_rows(path, *v, {.rows = 2, .steps = 3});
    }
  }
  check_rows(path, Vocabulary({"ab"}), {.rows = 3, .steps = 2});
  return first;
}

}  // namespace gradus::tests

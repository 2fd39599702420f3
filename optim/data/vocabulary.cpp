// SPDX-License-Identifier: MIT
#include <gradus/optim/data/vocabulary.hpp>

#include <utf8.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <gradus/tensor/error.hpp>
#include <gradus/tensor/files/input_file.hpp>

namespace gradus {
namespace {

constexpr int64_t kMarks = 4;
constexpr std::array<std::string_view, 3> kUnitNames = {"code_point", "word", "byte"};
constexpr std::string_view kHead = "gradus vocabulary 1 ";
constexpr std::string_view kHexDigits = "0123456789abcdef";

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::vector<std::string_view> split_code_points(std::string_view text) {
  std::vector<std::string_view> out;
  for (auto at = text.begin(); at != text.end();) {
    const auto begin = at;
    utf8::unchecked::next(at);
    out.push_back(text.substr(static_cast<size_t>(begin - text.begin()), static_cast<size_t>(at - begin)));
  }
  return out;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> out;
  for (size_t at = 0; at < text.size();) {
    while (at < text.size() && is_blank(text[at])) ++at;
    const size_t begin = at;
    while (at < text.size() && !is_blank(text[at])) ++at;
    if (at > begin) out.push_back(text.substr(begin, at - begin));
  }
  return out;
}

// Controls, bytes beyond ASCII that stand alone, and the backslash as \xHH.
std::string escaped(const std::string& symbol) {
  const bool readable = utf8::is_valid(symbol.begin(), symbol.end());
  std::string out;
  for (const char c : symbol) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == '\\' || byte == 0x7F || (byte >= 0x80 && !readable)) {
      out += {'\\', 'x', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
    } else {
      out += c;
    }
  }
  return out;
}

[[noreturn]] void refuse_vocabulary(const std::string& why) { throw Error("[Vocabulary::from_text] " + why); }

std::string unescaped(std::string_view line, int64_t number) {
  std::string out;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\') {
      out += line[i];
      continue;
    }
    const size_t high = i + 2 < line.size() ? kHexDigits.find(line[i + 2]) : std::string_view::npos;
    const size_t low = i + 3 < line.size() ? kHexDigits.find(line[i + 3]) : std::string_view::npos;
    if (high == std::string_view::npos || low == std::string_view::npos || line[i + 1] != 'x') {
      refuse_vocabulary(detail::join("line ", number, ": expected \\x and two digits after a backslash"));
    }
    out += static_cast<char>(high << 4 | low);
    i += 3;
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, SymbolUnit unit) {
  if (unit == SymbolUnit::code_point) return split_code_points(text);
  if (unit == SymbolUnit::word) return split_words(text);
  std::vector<std::string_view> out;
  for (size_t i = 0; i < text.size(); ++i) out.push_back(text.substr(i, 1));
  return out;
}

bool is_one_symbol(std::string_view text, SymbolUnit unit) {
  if (unit == SymbolUnit::byte) return text.size() == 1;
  if (!utf8::is_valid(text.begin(), text.end())) return false;
  const std::vector<std::string_view> symbols = split(text, unit);
  return symbols.size() == 1 && symbols[0].size() == text.size();
}

// text.size() when all of it is UTF-8, or need not be.
size_t first_not_utf8(std::string_view text, SymbolUnit unit) {
  if (unit == SymbolUnit::byte) return text.size();
  return static_cast<size_t>(utf8::find_invalid(text.begin(), text.end()) - text.begin());
}

using SymbolCounts = std::map<std::string, int64_t, std::less<>>;

void count_symbols(std::string_view text, SymbolUnit unit, SymbolCounts& counts) {
  for (const std::string_view symbol : split(text, unit)) {
    const auto found = counts.find(symbol);
    if (found == counts.end()) {
      counts.emplace(symbol, 1);
    } else {
      ++found->second;
    }
  }
}

SymbolCounts counts_of(const std::vector<std::string>& texts, SymbolUnit unit) {
  SymbolCounts counts;
  for (size_t i = 0; i < texts.size(); ++i) {
    const size_t wrong = first_not_utf8(texts[i], unit);
    GRADUS_CHECK(wrong == texts[i].size(), "[Vocabulary] expected UTF-8, got another byte in text ", i, " at position ",
                 wrong);
    count_symbols(texts[i], unit, counts);
  }
  return counts;
}

std::vector<std::string> frequent(const SymbolCounts& counts, const VocabularyOptions& options) {
  GRADUS_CHECK(options.least_count >= 1, "[Vocabulary] expected a least_count of 1 or more, got ", options.least_count);
  std::vector<std::string> out;
  for (const auto& [symbol, count] : counts) {
    if (count >= options.least_count) out.push_back(symbol);
  }
  return out;
}

// The part of the text in which no symbol is cut: all of it, or all before the last symbol. The bytes before `fresh`
// are known to be part of one word, so that no byte of a long one is looked at twice.
size_t whole_symbols(std::string_view text, size_t fresh, SymbolUnit unit) {
  if (unit == SymbolUnit::byte) return text.size();
  size_t end = text.size();
  if (unit == SymbolUnit::word) {
    while (end > fresh && !is_blank(text[end - 1])) --end;
    return end > fresh ? end : 0;
  }
  constexpr size_t kLongestCodePoint = 4;
  size_t cut = 1;  // bytes of the last code point
  while (cut < kLongestCodePoint && cut < end && (static_cast<unsigned char>(text[end - cut]) & 0xC0) == 0x80) ++cut;
  return end - std::min(cut, end);
}

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // a fuzzer's inputs are small
constexpr uint64_t kPiece = 16;
#else
constexpr uint64_t kPiece = uint64_t{1} << 20;
#endif

}  // namespace

Vocabulary::Vocabulary(SymbolUnit unit, bool marks, std::vector<std::string> symbols)
    : unit_(unit), first_(marks ? kMarks : 0), symbols_(std::move(symbols)) {
  constexpr size_t kBytes = 256;
  of_byte_.assign(kBytes, -1);
  for (size_t i = 0; i < symbols_.size(); ++i) {
    const std::string& symbol = symbols_[i];
    if (symbol.size() == 1) of_byte_[static_cast<unsigned char>(symbol[0])] = first_ + static_cast<int64_t>(i);
  }
}

Vocabulary::Vocabulary(const std::vector<std::string>& texts, const VocabularyOptions& options)
    : Vocabulary(options.unit, options.marks, frequent(counts_of(texts, options.unit), options)) {
  GRADUS_CHECK(!symbols_.empty(), "[Vocabulary] expected texts with at least one symbol, got none (", texts.size(),
               " texts, least_count ", options.least_count, ")");
}

Vocabulary Vocabulary::of_file(const std::string& path, const VocabularyOptions& options) {
  SymbolCounts counts;
  detail::with_file_errors("Vocabulary::of_file", path, [&] {
    const detail::InputFile file(path);
    if (file.size() == 0) detail::file_problem("the file is empty; expected text");
    std::string text;
    for (uint64_t at = 0; at < file.size();) {
      const uint64_t count = std::min(kPiece, file.size() - at);
      const size_t rest = text.size();
      text.resize(rest + count);
      file.read(text.data() + rest, count, at);
      at += count;
      const size_t whole = at == file.size() ? text.size() : whole_symbols(text, rest, options.unit);
      const size_t wrong = first_not_utf8(std::string_view(text).substr(0, whole), options.unit);
      if (wrong < whole)
        detail::file_problem("expected UTF-8, got another byte at position ", at - text.size() + wrong);
      count_symbols(std::string_view(text).substr(0, whole), options.unit, counts);
      text.erase(0, whole);
    }
  });
  Vocabulary out(options.unit, options.marks, frequent(counts, options));
  GRADUS_CHECK(!out.symbols_.empty(), "[Vocabulary::of_file] ", path, " has no symbol that occurs ",
               options.least_count, " times");
  return out;
}

std::optional<int64_t> Vocabulary::find(std::string_view symbol) const {
  if (symbol.size() == 1) {
    const int64_t number = of_byte_[static_cast<unsigned char>(symbol[0])];
    return number < 0 ? std::nullopt : std::optional(number);
  }
  const auto found = std::lower_bound(symbols_.begin(), symbols_.end(), symbol);
  if (found == symbols_.end() || *found != symbol) return std::nullopt;
  return first_ + (found - symbols_.begin());
}

const std::string& Vocabulary::symbol(int64_t id) const {
  static const std::string mark;
  GRADUS_CHECK(id >= 0 && id < size(), "[Vocabulary::symbol] expected a number from 0 to ", size() - 1, ", got ", id);
  return id < first_ ? mark : symbols_[static_cast<size_t>(id - first_)];
}

std::vector<int64_t> Vocabulary::encode(std::string_view text) const {
  const size_t wrong = first_not_utf8(text, unit_);
  GRADUS_CHECK(wrong == text.size(), "[Vocabulary::encode] expected UTF-8, got another byte at position ", wrong);
  const std::vector<std::string_view> symbols = split(text, unit_);
  std::vector<int64_t> out;
  out.reserve(symbols.size());
  for (const std::string_view symbol : symbols) {
    const std::optional<int64_t> id = find(symbol);
    GRADUS_CHECK(id.has_value() || has_marks(), "[Vocabulary::encode] the symbol '", escaped(std::string(symbol)),
                 "' is not known, and a vocabulary without marks has no number for unknown ones");
    out.push_back(id.value_or(kUnknown));
  }
  return out;
}

std::string Vocabulary::decode(std::span<const int64_t> ids) const {
  std::string out;
  bool first = true;
  for (const int64_t id : ids) {
    if (has_marks() && id == kEnd) break;
    if (has_marks() && (id == kPad || id == kBegin)) continue;
    if (unit_ == SymbolUnit::word && !first) out += ' ';
    first = false;
    out += has_marks() && id == kUnknown ? "\xEF\xBF\xBD" : symbol(id);
  }
  return out;
}

std::string Vocabulary::to_text() const {
  std::string out(kHead);
  out += kUnitNames[static_cast<size_t>(unit_)];
  out += has_marks() ? " with marks\n" : " without marks\n";
  for (const std::string& symbol : symbols_) out += escaped(symbol) + '\n';
  return out;
}

Vocabulary Vocabulary::from_text(const std::string& text) {
  const std::string head = text.substr(0, text.find('\n'));
  std::optional<SymbolUnit> unit;
  bool marks = false;
  for (size_t i = 0; i < kUnitNames.size(); ++i) {
    for (const bool with : {false, true}) {
      if (head != std::string(kHead).append(kUnitNames[i]).append(with ? " with marks" : " without marks")) continue;
      unit = static_cast<SymbolUnit>(i);
      marks = with;
    }
  }
  if (!unit.has_value()) refuse_vocabulary("expected a first line \"gradus vocabulary 1 code_point with marks\"");
  std::vector<std::string> symbols;
  int64_t line = 2;
  for (size_t at = head.size() + 1; at < text.size(); ++line) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos)
      refuse_vocabulary(detail::join("line ", line, " does not end: the text is cut short"));
    symbols.push_back(unescaped(std::string_view(text).substr(at, end - at), line));
    if (symbols.back().empty()) refuse_vocabulary(detail::join("line ", line, " is empty"));
    if (!is_one_symbol(symbols.back(), *unit)) {
      refuse_vocabulary(detail::join("line ", line, ": expected one ", kUnitNames[static_cast<size_t>(*unit)]));
    }
    if (symbols.size() > 1 && symbols.back() <= symbols[symbols.size() - 2]) {
      refuse_vocabulary(detail::join("line ", line, ": expected symbols in ascending order"));
    }
    at = end + 1;
  }
  if (symbols.empty()) refuse_vocabulary("expected at least one symbol");
  return Vocabulary(*unit, marks, std::move(symbols));
}

}  // namespace gradus

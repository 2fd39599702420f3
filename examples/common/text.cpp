// SPDX-License-Identifier: MIT
#include <gradus/examples/common/text.hpp>

#include <utf8.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include <gradus/examples/common/bad_input.hpp>

namespace gradus::examples {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

template <size_t N>
bool is_in(const Range (&ranges)[N], char32_t symbol) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [symbol](const Range& range) { return symbol >= range.first && symbol <= range.last; });
}

bool is_combining(char32_t symbol) {
  // The blocks of the scripts whose combining marks occur in word lists. It is not the whole Unicode category Mn.
  constexpr Range kMarks[] = {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x05BF, 0x05BF}, {0x05C1, 0x05C2},
                              {0x05C4, 0x05C5}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x0670, 0x0670}, {0x093A, 0x093C},
                              {0x0941, 0x0948}, {0x094D, 0x094D}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E},
                              {0x200B, 0x200F}, {0x20D0, 0x20F0}, {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}};
  return is_in(kMarks, symbol);
}

// Characters that act on the text around them or are invisible: controls, direction marks, invisible operators, tags.
bool is_unprintable(char32_t symbol) {
  constexpr Range kRanges[] = {{0x0000, 0x001F}, {0x007F, 0x009F},  {0x00AD, 0x00AD}, {0x061C, 0x061C},
                               {0x180E, 0x180E}, {0x200B, 0x200B},  {0x200E, 0x200F}, {0x2028, 0x202E},
                               {0x2060, 0x206F}, {0xD800, 0xDFFF},  {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFB},
                               {0xFFFE, 0xFFFF}, {0xE0000, 0xE0FFF}};
  return is_in(kRanges, symbol);
}

std::string number_of(char32_t symbol) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "<U+%04X>", static_cast<unsigned>(symbol));
  return text.data();
}

std::string read_file(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) throw BadInput("cannot read " + path + ": it is a folder");
  if (std::filesystem::is_character_file(path, ignored) || std::filesystem::is_block_file(path, ignored)) {
    throw BadInput("cannot read " + path + ": it is a device, which may have no end");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (file && file.peek() != std::ifstream::traits_type::eof()) bytes << file.rdbuf();
  if (file.bad() || !file.is_open())
    throw BadInput("cannot read " + path + ": " + std::generic_category().message(errno));
  return bytes.str();
}

std::string place(const std::string& path, int64_t line) { return path + ", line " + std::to_string(line); }

void check_utf8(const std::string& path, const std::string& bytes) {
  constexpr int kFirstBeyondAscii = 0x80;
  if (std::none_of(bytes.begin(), bytes.end(),
                   [](char c) { return static_cast<unsigned char>(c) >= kFirstBeyondAscii; })) {
    return;  // the usual case, and much faster
  }
  const auto wrong = utf8::find_invalid(bytes.begin(), bytes.end());
  if (wrong == bytes.end()) return;
  throw BadInput(place(path, 1 + std::count(bytes.begin(), wrong, '\n')) + ": this is not valid UTF-8");
}

void check_item(const std::string& where, const std::u32string& item, int64_t max_length) {
  const auto control = [](char32_t symbol) {
    return (symbol < 0x20 && symbol != U'\t') || (symbol >= 0x7F && symbol < 0xA0);
  };
  if (std::any_of(item.begin(), item.end(), control)) {
    throw BadInput(where + ": a control character; expected plain text, one item a line");
  }
  if (item.size() > static_cast<size_t>(max_length)) {
    throw BadInput(where + ": a word longer than allowed: it has " + std::to_string(item.size()) +
                   " symbols, --max-length is " + std::to_string(max_length));
  }
}

// One line without the blanks at both ends (and without the carriage return of a file from Windows).
std::string_view trimmed(std::string_view line) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  return line;
}

}  // namespace

std::vector<Line> read_lines(const std::string& path, int64_t max_length) {
  const std::string bytes = read_file(path);
  if (bytes.empty()) throw BadInput(path + ": the file is empty; expected one item a line");
  check_utf8(path, bytes);

  std::string_view rest = bytes;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (rest.substr(0, kByteOrderMark.size()) == kByteOrderMark) rest.remove_prefix(kByteOrderMark.size());
  std::vector<Line> out;
  out.reserve(static_cast<size_t>(std::count(rest.begin(), rest.end(), '\n')) + 1);
  for (int64_t number = 1; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    const std::string_view text = trimmed(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (text.empty()) continue;
    std::u32string item;
    item.resize(text.size());  // enough, and exact for ASCII
    item.resize(static_cast<size_t>(utf8::unchecked::utf8to32(text.begin(), text.end(), item.begin()) - item.begin()));
    check_item(place(path, number), item, max_length);
    out.push_back({std::move(item), number});
  }
  if (out.empty()) throw BadInput(path + ": nothing but blank lines; expected one item a line");
  return out;
}

std::string to_utf8(std::u32string_view text) {
  std::string out;
  utf8::unchecked::utf32to8(text.begin(), text.end(), std::back_inserter(out));
  return out;
}

std::optional<std::u32string> from_utf8(const std::string& text) {
  if (utf8::find_invalid(text.begin(), text.end()) != text.end()) return std::nullopt;
  std::u32string out;
  utf8::unchecked::utf8to32(text.begin(), text.end(), std::back_inserter(out));
  return out;
}

std::string grouped(int64_t value) {
  std::string out = std::to_string(value);
  for (size_t end = out.size(); end > (value < 0 ? 4u : 3u); end -= 3) out.insert(end - 3, 1, ',');
  return out;
}

std::string shown_symbol(char32_t symbol) {
  if (symbol == U' ' || symbol == 0x00A0 || symbol == 0x3000) return "\u2423";  // open box
  if (symbol == U'\t') return "\u21E5";                                         // arrow to a bar
  if (is_unprintable(symbol)) return number_of(symbol);
  if (is_combining(symbol)) return to_utf8(std::u32string{0x25CC, symbol});
  return to_utf8(std::u32string_view(&symbol, 1));
}

int shown_width(char32_t symbol) {
  constexpr Range kWide[] = {{0x1100, 0x115F}, {0x2E80, 0x2FFF},   {0x3001, 0x303E},   {0x3041, 0x3098},
                             {0x309B, 0x33FF}, {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},
                             {0xAC00, 0xD7A3}, {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                             {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
  if (is_unprintable(symbol) && symbol != U'\t') return static_cast<int>(number_of(symbol).size());
  return is_in(kWide, symbol) ? 2 : 1;
}

std::string printable(std::string_view text) {
  std::string out;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const char* const valid = utf8::find_invalid(at, end);
    while (at != valid) {
      const char32_t symbol = utf8::unchecked::next(at);
      out += is_unprintable(symbol) ? number_of(symbol) : to_utf8(std::u32string_view(&symbol, 1));
    }
    if (at == end) break;
    std::array<char, 8> byte{};
    std::snprintf(byte.data(), byte.size(), "\\x%02X", static_cast<unsigned>(static_cast<unsigned char>(*at++)));
    out += byte.data();
  }
  return out;
}

}  // namespace gradus::examples

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
#include <gradus/nn/drawing/symbols.hpp>
#include <gradus/nn/drawing/unicode.hpp>

namespace gradus::examples {
namespace {

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

// Throws for bytes that are no UTF-8; returns the text after a byte order mark.
std::string_view checked_text(const std::string& path, const std::string& bytes) {
  check_utf8(path, bytes);
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::string_view text = bytes;
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) text.remove_prefix(kByteOrderMark.size());
  return text;
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
  std::string_view rest = checked_text(path, bytes);
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
  return to_utf8(gradus::detail::shown_label(std::u32string_view(&symbol, 1)));
}

int shown_width(char32_t symbol) {
  return gradus::detail::columns_of(gradus::detail::shown_label(std::u32string_view(&symbol, 1)));
}

std::string printable(std::string_view text) {
  std::string out;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const char* const valid = utf8::find_invalid(at, end);
    while (at != valid) {
      const char32_t symbol = utf8::unchecked::next(at);
      out += gradus::detail::is_unprintable(symbol) ? gradus::detail::number_of_symbol(symbol)
                                                    : to_utf8(std::u32string_view(&symbol, 1));
    }
    if (at == end) break;
    std::array<char, 8> byte{};
    std::snprintf(byte.data(), byte.size(), "\\x%02X", static_cast<unsigned>(static_cast<unsigned char>(*at++)));
    out += byte.data();
  }
  return out;
}

}  // namespace gradus::examples

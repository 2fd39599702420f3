// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::examples {

struct Line {
  std::u32string item;
  int64_t number = 0;  ///< counted from 1
};

/// The lines of a UTF-8 text file as code points. Blanks at both ends, empty lines, a byte order mark and carriage
/// returns are dropped. Throws BadInput when the file cannot be read, has no item, or has a line that is not UTF-8,
/// contains control characters, or is longer than `max_length` symbols.
std::vector<Line> read_lines(const std::string& path, int64_t max_length);

std::string to_utf8(std::u32string_view text);
/// Empty when `text` is not UTF-8.
std::optional<std::u32string> from_utf8(const std::string& text);

/// "12,345".
std::string grouped(int64_t value);

/// A symbol as text that can be shown alone. Blanks become visible, and a combining mark gets a dotted circle. Symbols
/// that a terminal would obey or not show (controls, direction marks) become their number, "<U+202E>".
std::string shown_symbol(char32_t symbol);
/// The width of shown_symbol in terminal columns: 1, or 2 for wide East Asian symbols, or more for a number.
int shown_width(char32_t symbol);
/// Text from outside (a path, a name from a file) as one line that is safe to print. It is like shown_symbol, but
/// blanks and marks stay as they are. Bytes that are not UTF-8 become "\xFF".
std::string printable(std::string_view text);

}  // namespace gradus::examples

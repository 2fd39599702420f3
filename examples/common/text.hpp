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

/// The lines of a UTF-8 text file as code points, without blanks at either end; empty lines, a byte order mark and
/// carriage returns are dropped. Throws BadInput when the file cannot be read, holds no item, or has a line that is no
/// UTF-8, holds control characters, or is longer than `max_length` symbols.
std::vector<Line> read_lines(const std::string& path, int64_t max_length);

std::string to_utf8(std::u32string_view text);
/// Nothing when `text` is not UTF-8.
std::optional<std::u32string> from_utf8(const std::string& text);

/// "12,345".
std::string grouped(int64_t value);

/// For showing a symbol by itself: blanks become visible, a combining mark gets a dotted circle to stand on, and what a
/// terminal would obey or not show (controls, marks of text direction) becomes its number, "<U+202E>".
std::string shown_symbol(char32_t symbol);
/// How many columns of a terminal shown_symbol takes: 1, 2 for what East Asian terminals draw wide, more for a number.
int shown_width(char32_t symbol);
/// Text from outside (a path, a name out of a file) as one line that is safe to print: as in shown_symbol, but with its
/// blanks and marks as they are; bytes that are not UTF-8 become "\xFF".
std::string printable(std::string_view text);

}  // namespace gradus::examples

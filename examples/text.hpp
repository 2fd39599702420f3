// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gradus/examples/item.hpp>

namespace gradus::examples {

struct Line {
  Item item;
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

/// For showing a symbol by itself: blanks become visible, and a combining mark gets a dotted circle to stand on.
std::string shown_symbol(char32_t symbol);
/// How many columns of a terminal shown_symbol takes: 1, or 2 for what East Asian terminals draw wide.
int shown_width(char32_t symbol);

}  // namespace gradus::examples

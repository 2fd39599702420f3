// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

// Symbols as they are shown in a terminal or a picture.

namespace gradus::detail {

/// "<U+202E>".
std::string number_of_symbol(char32_t symbol);

bool is_valid_utf8(std::string_view text);
/// The code points of valid UTF-8.
std::u32string decoded_utf8(std::string_view text);
std::string encoded_utf8(std::u32string_view text);

/// A symbol, which is one code point or a grapheme cluster, as text that can be shown alone. Blanks become visible, a
/// mark without a base gets a dotted circle, and what a terminal would obey or not show becomes its number.
std::u32string shown_label(std::u32string_view symbol);
/// The width of text in terminal columns.
int columns_of(std::u32string_view text);
bool is_right_to_left(std::u32string_view text);
/// The index after the grapheme cluster that begins at `first`.
size_t cluster_end(std::u32string_view text, size_t first);

}  // namespace gradus::detail

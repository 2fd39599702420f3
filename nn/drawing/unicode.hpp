// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

// What Unicode says about one code point.

namespace gradus::detail {

bool is_nonspacing_mark(char32_t symbol);  ///< categories Mn and Me
bool is_spacing_mark(char32_t symbol);     ///< category Mc
/// True for a character that acts on the text around it or is invisible: controls, direction marks, tags.
bool is_unprintable(char32_t symbol);
/// True for East Asian symbols that take two columns of a terminal.
bool is_wide(char32_t symbol);
bool is_of_right_to_left_script(char32_t symbol);

}  // namespace gradus::detail

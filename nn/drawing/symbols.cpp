// SPDX-License-Identifier: MIT
#include <gradus/nn/drawing/symbols.hpp>

#include <utf8.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

#include <gradus/nn/drawing/attention_map.hpp>
#include <gradus/nn/drawing/unicode.hpp>
#include <gradus/tensor/error.hpp>

namespace gradus {
namespace {

constexpr char32_t kDottedCircle = 0x25CC, kZeroWidthNonJoiner = 0x200C, kZeroWidthJoiner = 0x200D;

bool is_joiner(char32_t symbol) { return symbol == kZeroWidthNonJoiner || symbol == kZeroWidthJoiner; }

bool is_mark(char32_t symbol) { return detail::is_nonspacing_mark(symbol) || detail::is_spacing_mark(symbol); }

// Tones of emoji, and Hangul vowels and final consonants.
bool follows_base(char32_t symbol) {
  const bool tone = symbol >= 0x1F3FB && symbol <= 0x1F3FF;
  const bool jamo = symbol >= 0x1160 && symbol <= 0x11FF;
  return is_mark(symbol) || is_joiner(symbol) || tone || jamo;
}

bool is_regional(char32_t symbol) { return symbol >= 0x1F1E6 && symbol <= 0x1F1FF; }

bool is_emoji(char32_t symbol) { return symbol >= 0x2190 && (symbol < 0x2E80 || symbol >= 0x1F000); }

bool is_control(char32_t symbol) { return symbol < 0x20 || (symbol >= 0x7F && symbol < 0xA0); }

std::u32string checked_symbols(const char* called, const std::string& text) {
  GRADUS_CHECK(detail::is_valid_utf8(text), "[", called, "] expected UTF-8, got other bytes");
  return detail::decoded_utf8(text);
}

}  // namespace

namespace detail {

std::string number_of_symbol(char32_t symbol) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "<U+%04X>", static_cast<unsigned>(symbol));
  return text.data();
}

bool is_valid_utf8(std::string_view text) { return utf8::find_invalid(text.begin(), text.end()) == text.end(); }

std::u32string decoded_utf8(std::string_view text) {
  std::u32string out;
  utf8::unchecked::utf8to32(text.begin(), text.end(), std::back_inserter(out));
  return out;
}

std::string encoded_utf8(std::u32string_view text) {
  std::string out;
  utf8::unchecked::utf32to8(text.begin(), text.end(), std::back_inserter(out));
  return out;
}

std::u32string shown_label(std::u32string_view symbol) {
  std::u32string out;
  for (const char32_t each : symbol) {
    if (each == U' ' || each == 0x00A0 || each == 0x3000) {
      out += U'\u2423';  // open box
    } else if (each == U'\t') {
      out += U'\u21E5';  // arrow to a bar
    } else if (is_unprintable(each)) {
      for (const char digit : number_of_symbol(each)) out += static_cast<char32_t>(digit);
    } else {
      if (out.empty() && (is_mark(each) || is_joiner(each))) out += kDottedCircle;
      out += each;
    }
  }
  return out;
}

int columns_of(std::u32string_view text) {
  int columns = 0;
  bool joined = false;  // emoji that a joiner makes one
  for (const char32_t each : text) {
    const bool none = is_nonspacing_mark(each) || is_joiner(each) || (each >= 0x1160 && each <= 0x11FF) ||
                      (each >= 0x1F3FB && each <= 0x1F3FF) || joined;
    if (!none) columns += is_wide(each) ? 2 : 1;
    joined = each == kZeroWidthJoiner;
  }
  return columns;
}

bool is_right_to_left(std::u32string_view text) {
  return std::any_of(text.begin(), text.end(), is_of_right_to_left_script);
}

size_t cluster_end(std::u32string_view text, size_t first) {
  size_t end = first + 1;
  if (text[first] == U'\r' && end < text.size() && text[end] == U'\n') return end + 1;
  if (is_control(text[first])) return end;
  if (is_regional(text[first]) && end < text.size() && is_regional(text[end])) ++end;
  while (end < text.size() && (follows_base(text[end]) ||
                               (text[end - 1] == kZeroWidthJoiner && is_emoji(text[first]) && is_emoji(text[end])))) {
    ++end;
  }
  return end;
}

}  // namespace detail

std::vector<std::string> grapheme_clusters(const std::string& text) {
  const std::u32string all = checked_symbols("grapheme_clusters", text);
  std::vector<std::string> out;
  for (size_t first = 0; first < all.size();) {
    const size_t end = detail::cluster_end(all, first);
    out.push_back(detail::encoded_utf8(std::u32string_view(all).substr(first, end - first)));
    first = end;
  }
  return out;
}

std::vector<std::string> code_points(const std::string& text) {
  std::vector<std::string> out;
  for (const char32_t each : checked_symbols("code_points", text)) {
    out.push_back(detail::encoded_utf8(std::u32string_view(&each, 1)));
  }
  return out;
}

}  // namespace gradus

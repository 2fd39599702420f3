// SPDX-License-Identifier: MIT
#include <gradus/nn/drawing/symbols.hpp>

#include <gradus/nn/drawing/attention_map.hpp>
#include <gradus/nn/drawing/colours.hpp>

#include <algorithm>
#include <cmath>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

using namespace gradus;
using detail::columns_of;
using gradus::tests::contains_text;
using gradus::tests::error_text;

namespace {

using Symbols = std::vector<std::string>;

std::string shown(std::u32string_view symbol) { return detail::encoded_utf8(detail::shown_label(symbol)); }

double linear_light(double channel) {
  const double part = channel / 255.0;
  return part <= 0.04045 ? part / 12.92 : std::pow((part + 0.055) / 1.055, 2.4);
}

// CIE L* of a luminance.
double lightness(double luminance) {
  return luminance > 216.0 / 24389.0 ? 116.0 * std::cbrt(luminance) - 16.0 : luminance * 24389.0 / 27.0;
}

struct Light {
  double red;
  double green;
  double blue;
  double luminance() const { return 0.2126 * red + 0.7152 * green + 0.0722 * blue; }
};

Light light_of(const detail::Colour& colour) {
  return {linear_light(colour.red), linear_light(colour.green), linear_light(colour.blue)};
}

// What people without red or without green receptors see (Viénot, Brettel and Mollon 1999).
Light without_red(const Light& c) {
  return {0.11238 * c.red + 0.88762 * c.green, 0.11238 * c.red + 0.88762 * c.green,
          0.00401 * c.red - 0.00401 * c.green + c.blue};
}
Light without_green(const Light& c) {
  return {0.29275 * c.red + 0.70725 * c.green, 0.29275 * c.red + 0.70725 * c.green,
          -0.02234 * c.red + 0.02234 * c.green + c.blue};
}

}  // namespace

TEST_CASE("combining marks stay with their base") {
  // shin, shin dot, qamats; lamed; vav, holam; final mem.
  CHECK(grapheme_clusters("שָׁלוֹם") == Symbols{"שָׁ", "ל", "וֹ", "ם"});
  CHECK(grapheme_clusters("नमस्ते") == Symbols{"न", "म", "स्", "ते"});  // with a virama and a vowel sign
  CHECK(grapheme_clusters("e\u0301a") == Symbols{"e\u0301", "a"});
  CHECK(grapheme_clusters("각\u1100\u1161\u11A8") == Symbols{"각", "\u1100\u1161\u11A8"});
  CHECK(grapheme_clusters("👩\u200D👩\u200D👧👍🏽x") == Symbols{"👩\u200D👩\u200D👧", "👍🏽", "x"});
  CHECK(grapheme_clusters("🇩🇪🇫🇷🇮") == Symbols{"🇩🇪", "🇫🇷", "🇮"});
  CHECK(grapheme_clusters("a\r\n\n\u0301") == Symbols{"a", "\r\n", "\n", "\u0301"});
  CHECK(grapheme_clusters("").empty());
  CHECK(code_points("שָל") == Symbols{"ש", "\u05B8", "ל"});
  CHECK_THAT(error_text([] { return grapheme_clusters("\xC3"); }),
             contains_text("[grapheme_clusters] expected UTF-8, got other bytes"));
  CHECK_THAT(error_text([] { return code_points("\xED\xA0\x80"); }), contains_text("[code_points] expected UTF-8"));
}

TEST_CASE("a symbol alone can be seen, and obeys nobody") {
  CHECK(shown(U"a") == "a");
  CHECK(shown(U" ") == "␣");
  CHECK(shown(U"\t") == "⇥");
  CHECK(shown(U"\u05B8") == "\u25CC\u05B8");  // a point on a dotted circle
  CHECK(shown(U"ש\u05B8") == "ש\u05B8");
  CHECK(shown(U"\u0007") == "<U+0007>");
  CHECK(shown(U"\u202E") == "<U+202E>");
  CHECK(shown(U"\U000E0041") == "<U+E0041>");
}

TEST_CASE("the width of a symbol is that of its base") {
  CHECK(columns_of(U"ש\u05C1\u05B8") == 1);
  CHECK(columns_of(U"猫") == 2);
  CHECK(columns_of(U"が\u3099") == 2);
  CHECK(columns_of(U"न\u093F") == 2);  // a spacing vowel sign
  CHECK(columns_of(U"\U0001F469\u200D\U0001F467") == 2);
  CHECK(detail::is_right_to_left(U"aש"));
  CHECK(detail::is_right_to_left(U"ش"));
  CHECK_FALSE(detail::is_right_to_left(U"aжन猫"));
}

TEST_CASE("colours become darker with the weight, for all eyes") {
  double last[3] = {101.0, 101.0, 101.0};
  for (int i = 0; i <= 200; ++i) {
    const Light seen = light_of(detail::colour_of(i / 200.0));
    const double now[3] = {lightness(seen.luminance()), lightness(without_red(seen).luminance()),
                           lightness(without_green(seen).luminance())};
    for (int eyes = 0; eyes < 3; ++eyes) {
      INFO("step " << i << ", eyes " << eyes);
      CHECK(now[eyes] < last[eyes]);
      // Even steps: a step of 1/200 of the scale is about 0.4 of L*.
      if (i > 0) CHECK(last[eyes] - now[eyes] < 1.2);
      last[eyes] = now[eyes];
    }
  }
  for (const double end : last) CHECK(end < 15.0);
  CHECK(lightness(light_of(detail::colour_of(0.0)).luminance()) > 95.0);
  const detail::Colour below = detail::colour_of(-1.0), lowest = detail::colour_of(0.0);
  CHECK((below.red == lowest.red && below.green == lowest.green && below.blue == lowest.blue));
  CHECK(detail::terminal_colour({255, 255, 255}) == 231);
  CHECK(detail::terminal_colour({0, 0, 0}) == 16);
  CHECK(detail::terminal_colour({95, 0, 0}) == 52);
}

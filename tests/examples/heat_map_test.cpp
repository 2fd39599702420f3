// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include <gradus/examples/copy_reverse/report/heat_map.hpp>
#include <gradus/examples/copy_reverse/report/progress.hpp>
#include "tests/support/catch.hpp"

using gradus::examples::Attention;
using gradus::examples::heat_map_svg;
using gradus::examples::heat_map_text;
using gradus::examples::Item;
using gradus::tests::contains_text;

namespace {

/// Attends to one source symbol after the other; the last row attends to all of them equally.
Attention diagonal(const Item& source, const Item& answer) {
  Attention out{.source = source, .answer = answer, .weights = {}};
  for (size_t row = 0; row <= answer.size(); ++row) {
    for (size_t column = 0; column < source.size(); ++column) {
      const double even = 1.0 / static_cast<double>(source.size());
      out.weights.push_back(row == answer.size() ? even : row == column ? 1.0 : 0.0);
    }
  }
  return out;
}

/// The error in `text` as XML, or "". Checks that elements are balanced, attributes are quoted, and there is no stray <
/// or &.
std::string xml_fault(const std::string& text) {
  std::vector<std::string> open;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '&') {
      const size_t end = text.find(';', i);
      if (end == std::string::npos || end - i > 6) return "stray & at " + std::to_string(i);
    }
    if (text[i] != '<') continue;
    const size_t end = text.find('>', i);
    if (end == std::string::npos) return "unfinished tag";
    std::string tag = text.substr(i + 1, end - i - 1);
    i = end;
    if (tag.find('<') != std::string::npos) return "stray < in " + tag;
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return "not open: " + tag;
      open.pop_back();
      continue;
    }
    size_t quotes = 0;
    for (size_t at = 0; at < tag.size(); ++at) {
      quotes += tag[at] == '"' ? 1 : 0;
      if (tag[at] == '=' && quotes % 2 == 0 && tag.substr(at + 1, 1) != "\"") return "unquoted attribute in " + tag;
    }
    if (quotes % 2 != 0) return "open quote in " + tag;
    if (tag.back() != '/') open.push_back(tag.substr(0, tag.find(' ')));
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

size_t occurrences(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

}  // namespace

TEST_CASE("the heat map in a terminal has a darker block for a larger weight, and labels") {
  const std::string text = heat_map_text(diagonal(U"ab", U"ba"));
  CHECK(text ==
        "       a b   <- source\n"
        "     b ██· \n"
        "     a · ██\n"
        "   end ▓▓▓▓\n"
        "    weight:  ░░ from 0.05  ▒▒ from 0.25  ▓▓ from 0.5  ██ from 0.75\n");
}

TEST_CASE("wide symbols keep the columns of the heat map in line") {
  const std::string text = heat_map_text(diagonal(U"猫a", U"a猫"));
  CHECK_THAT(text, contains_text("       猫a   <- source\n"));
  CHECK_THAT(text, contains_text("    猫 · ██\n"));
}

TEST_CASE("a heat map that no terminal can show is not drawn") {
  const Item source(60, U'x');
  CHECK_THAT(heat_map_text(diagonal(source, source)), contains_text("too wide"));
}

TEST_CASE("the picture is well-formed XML with a cell for each weight and every label") {
  const std::string svg = heat_map_svg(diagonal(U"кот", U"ток"));
  CHECK(xml_fault(svg) == "");
  CHECK(occurrences(svg, "class=\"cell\"") == 3 * 4 + 6);  // and the legend
  for (const char* part : {"xmlns=\"http://www.w3.org/2000/svg\"", ">к</text>", ">end</text>", ">source</text>",
                           ">answer</text>", "prefers-color-scheme: dark", "т looks at о: 0.000"}) {
    CHECK_THAT(svg, contains_text(part));
  }
  for (const char* part : {"href", "src=", "url(", "<script"}) CHECK(occurrences(svg, part) == 0);  // self-contained
}

TEST_CASE("symbols that XML keeps for itself are escaped in the picture") {
  const Item nasty = {U'<', U'&', U'>', U'"', U'\'', U' ', 0xFFFE};
  const std::string svg = heat_map_svg(diagonal(nasty, nasty));
  CHECK(xml_fault(svg) == "");
  for (const char* part : {">&lt;</text>", ">&amp;</text>", ">&gt;</text>", ">&quot;</text>", ">&#39;</text>",
                           ">␣</text>", ">\uFFFD</text>"}) {
    CHECK_THAT(svg, contains_text(part));
  }
  CHECK(xml_fault("<a b=\"c\"><d>&</d></a>") != "");  // the checker sees faults
  CHECK(xml_fault("<a><b></a></b>") != "");
}

TEST_CASE("time left is said in two units at most") {
  using gradus::examples::duration_text;
  CHECK(duration_text(0.2) == "0 s");
  CHECK(duration_text(59.4) == "59 s");
  CHECK(duration_text(125) == "2 min 05 s");
  CHECK(duration_text(12'000) == "3 h 20 min");
}

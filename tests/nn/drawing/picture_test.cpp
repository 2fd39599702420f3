// SPDX-License-Identifier: MIT
// Maps as SVG.
#include <cmath>

#include <gradus/nn/drawing/attention_map.hpp>
#include <gradus/tensor/creation.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/xml.hpp"

using namespace gradus;
using tests::contains_text;
using tests::occurrences;
using tests::xml_fault;

namespace {

Tensor weights(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::f64});
}

}  // namespace

TEST_CASE("a picture is well-formed, has a cell for each weight, every label, and needs no other file") {
  const AttentionMap map = attention_map(weights({1, 0, 0.25, 0.75}, {2, 2}),
                                         {.title = "кот", .source = {"к", "о"}, .target = {"о", "end"}});
  const std::string svg = map.svg();
  CHECK(xml_fault(svg) == "");
  CHECK(occurrences(svg, "<path class=\"cell\"") == 4);
  for (const char* part :
       {"xmlns=\"http://www.w3.org/2000/svg\"", "<title>кот</title>", ">к</text>", ">end</text>",
        ">rows: target, columns: source</text>", ">weight 0</text>", ">1</text>", "prefers-color-scheme:dark",
        "<title>о looks at к: 1.000</title>", "<title>end looks at о: 0.750</title>", "fill=\"#101a54\"",
        "fill=\"#fdf8de\"", "fill=\"#bad5b8\"", "fill=\"#26629c\""}) {
    CHECK_THAT(svg, contains_text(part));
  }
  for (const char* part : {"href", "src=", "url(", "<script", "class=\"cross"}) CHECK(occurrences(svg, part) == 0);
}

TEST_CASE("without tips, cells of one colour are one path, and neighbours one box") {
  const AttentionMap map = attention_map(eye(10), {.source = code_points("abcdefghij")});
  const std::string small = map.svg({.tips = false});
  CHECK(xml_fault(small) == "");
  CHECK(occurrences(small, "<path") <= 21);            // the colours of the legend
  CHECK(occurrences(small, "h24v24h-24z") == 10 + 2);  // the diagonal, and beside it at both ends
  CHECK(occurrences(small, "h216v24h-216z") == 2);
  CHECK(occurrences(small, "v24h-") == 10 + 2 + 16);
  CHECK(small.size() < 5'000);
  CHECK(map.svg().size() > 2 * small.size());
}

TEST_CASE("symbols that XML keeps for itself are escaped, and controls are written as numbers") {
  const AttentionMap map = attention_map(
      zeros({1, 7}),
      {.title = "<b> & \x1b[31m \u202E", .source = {"<", "&", ">", "\"", "'", " ", "\x07"}, .target = {"</text>"}});
  const std::string svg = map.svg();
  CHECK(xml_fault(svg) == "");
  for (const char* part : {">&lt;</text>", ">&amp;</text>", ">&gt;</text>", ">&quot;</text>", ">&#39;</text>",
                           ">␣</text>", ">&lt;U+0007&gt;</text>", ">&lt;/text&gt;</text>",
                           "<title>&lt;b&gt; &amp; &lt;U+001B&gt;[31m &lt;U+202E&gt;</title>"}) {
    CHECK_THAT(svg, contains_text(part));
  }
  CHECK(xml_fault("<a b=\"c\"><d>&</d></a>") != "");  // the checker sees faults
  CHECK(xml_fault("<a><b></a></b>") != "");
}

TEST_CASE("each head and layer is a panel, and there is one legend") {
  const std::string svg = attention_map(zeros({2, 3, 4, 5})).svg();
  CHECK(xml_fault(svg) == "");
  CHECK(occurrences(svg, "<path class=\"cell\"") == 2 * 3 * 4 * 5);
  CHECK_THAT(svg, contains_text(">layer 1, head 1</text>"));
  CHECK_THAT(svg, contains_text(">layer 2, head 3</text>"));
  CHECK(occurrences(svg, ">weight 0</text>") == 1);
}

TEST_CASE("marks stay with their base in a label, and what reads from right to left is said to") {
  const AttentionMap map =
      attention_map(zeros({2, 4}), {.source = grapheme_clusters("שָׁלוֹם"), .target = code_points("नि")});
  const std::string svg = map.svg();
  CHECK(xml_fault(svg) == "");
  for (const char* part : {">שָׁ</text>", ">וֹ</text>", ">न</text>", ">\u25CCि</text>",
                           ">rows: target, columns: source (right to left, the first symbol at the left)</text>"}) {
    CHECK_THAT(svg, contains_text(part));
  }
}

TEST_CASE("long labels of columns are turned") {
  const std::string svg = attention_map(zeros({1, 2}), {.source = {"attention", "is"}}).svg();
  CHECK(xml_fault(svg) == "");
  CHECK(occurrences(svg, "transform=\"rotate(-90 ") == 2);
  const std::string cut = attention_map(zeros({1, 1}), {.source = {std::string(40, 'x')}}).svg();
  CHECK_THAT(cut, contains_text(">" + std::string(24, 'x') + "…</text>"));
}

TEST_CASE("weights without a colour are crosses, which the legend counts") {
  const AttentionMap map = attention_map(weights({std::nan(""), 2, 0, 1}, {2, 2}));
  const std::string svg = map.svg();
  CHECK(xml_fault(svg) == "");
  CHECK(occurrences(svg, "class=\"cross nan\"") == 2);  // one in the legend
  CHECK(occurrences(svg, "class=\"cross\"") == 2);
  CHECK_THAT(svg, contains_text(">NaN: 1</text>"));
  CHECK_THAT(svg, contains_text(">outside of [0, 1]: 1</text>"));
  CHECK_THAT(svg, contains_text("1 looks at 1: nan</title>"));
}

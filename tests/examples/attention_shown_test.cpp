// SPDX-License-Identifier: MIT
#include <string>

#include <gradus/examples/copy_reverse/report/report.hpp>
#include <gradus/optim/training/progress_line.hpp>
#include <gradus/tensor/creation.hpp>
#include "tests/support/catch.hpp"

using gradus::examples::Attention;
using gradus::examples::map_of;
using gradus::tests::contains_text;

TEST_CASE("the map of an answer has a row for each of its symbols and for its end") {
  const Attention attention{.source = U"ab", .answer = U"ba", .weights = gradus::eye(3).slice(1, 0, 2)};
  CHECK(map_of(attention).text() ==
        "Attention for ab\n"
        "rows: answer, columns: source\n"
        "\n"
        "    a b \n"
        "  b ██· \n"
        "  a · ██\n"
        "end · · \n"
        "\n"
        "weight:  ░░ from 0.05  ▒▒ from 0.25  ▓▓ from 0.5  ██ from 0.75\n");
}

TEST_CASE("an answer that was cut has no end, and a mark is a symbol of its own") {
  const Attention attention{.source = {0x05E9, 0x05B8}, .answer = U"ש", .weights = gradus::ones({1, 2})};
  const std::string text = map_of(attention).text();
  CHECK_THAT(text, contains_text("\u25CC\u05B8"));
  CHECK_THAT(text, contains_text("columns: source (right to left, the first symbol at the left)"));
  CHECK_THAT(text, !contains_text("end"));
}

TEST_CASE("a transformer's map has a panel for each layer and head") {
  const Attention attention{.source = U"ab", .answer = U"b", .weights = gradus::zeros({2, 3, 2, 2})};
  CHECK(map_of(attention).panels().size() == 6);
  CHECK(map_of(attention).panels()[5].name == "layer 2, head 3");
}

TEST_CASE("time left is said in two units at most") {
  using gradus::duration_text;
  CHECK(duration_text(0.2) == "0 s");
  CHECK(duration_text(59.4) == "59 s");
  CHECK(duration_text(125) == "2 min 05 s");
  CHECK(duration_text(12'000) == "3 h 20 min");
}

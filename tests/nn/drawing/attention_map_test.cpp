// SPDX-License-Identifier: MIT
// What an attention map accepts, and its text for a terminal.
#include <gradus/nn/drawing/attention_map.hpp>

#include <cmath>

#include <gradus/tensor/creation.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;
using gradus::tests::contains_text;
using gradus::tests::error_text;

namespace {

Tensor weights(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::f64});
}

}  // namespace

TEST_CASE("a map as text has a darker block for a larger weight, labels and a legend") {
  const AttentionMap map = attention_map(weights({1, 0, 0, 0.8, 0.5, 0.3}, {3, 2}),
                                         {.title = "Reversal", .source = {"a", "b"}, .target = {"b", "a", "end"}});
  CHECK(map.text() ==
        "Reversal\n"
        "rows: target, columns: source\n"
        "\n"
        "    a b \n"
        "  b ██· \n"
        "  a · ██\n"
        "end ▓▓▒▒\n"
        "\n"
        "weight:  ░░ from 0.05  ▒▒ from 0.25  ▓▓ from 0.5  ██ from 0.75\n");
}

TEST_CASE("without symbols the axes are numbered, and the scale may have other ends") {
  const AttentionMap map = attention_map(weights({-2, 2}, {1, 2}), {.low = -2.0, .high = 2.0});
  CHECK(map.text() ==
        "rows: target, columns: source\n"
        "\n"
        "  1 2 \n"
        "1 · ██\n"
        "\n"
        "weight:  ░░ from -1.8  ▒▒ from -1  ▓▓ from 0  ██ from 1\n");
}

TEST_CASE("heads stand side by side, layers below each other, all on one scale") {
  const Tensor all = weights({1, 0, /**/ 0, 1, /**/ 0.5, 0.5, /**/ 0.1, 0.9}, {2, 2, 1, 2});
  const AttentionMap map = attention_map(all, {.source = {"a", "b"}, .target = {"x"}});
  CHECK(map.text() ==
        "rows: target, columns: source\n"
        "\n"
        "layer 1, head 1   layer 1, head 2\n"
        "  a b               a b          \n"
        "x ██·             x · ██         \n"
        "\n"
        "layer 2, head 1   layer 2, head 2\n"
        "  a b               a b          \n"
        "x ▓▓▓▓            x ░░██         \n"
        "\n"
        "weight:  ░░ from 0.05  ▒▒ from 0.25  ▓▓ from 0.5  ██ from 0.75\n");
  const std::string narrow = map.text({.width = 20});
  CHECK_THAT(narrow, contains_text("layer 1, head 1\n"));
  CHECK(attention_map(all.select(0, 0)).panels()[1].name == "head 2");
  CHECK(map.text({.width = 0}) == narrow);
}

TEST_CASE("panels of any size have names and labels of their own") {
  const AttentionMap map = attention_map({{.name = "copy", .weights = ones({1, 1}), .source = {"猫"}, .target = {"猫"}},
                                          {.name = "pair", .weights = zeros({2, 3})}});
  CHECK(map.text() ==
        "rows: target, columns: source\n"
        "\n"
        "        pair    \n"
        "copy      1 2 3 \n"
        "   猫   1 · · · \n"
        "猫 ██   2 · · · \n"
        "\n"
        "weight:  ░░ from 0.05  ▒▒ from 0.25  ▓▓ from 0.5  ██ from 0.75\n");
}

TEST_CASE("long labels of columns go downwards, one symbol in each line, and very long ones are cut") {
  const AttentionMap map =
      attention_map(weights({1, 0}, {1, 2}), {.source = {"the", "a"}, .target = {std::string(30, 'y')}});
  CHECK(map.text() ==
        "rows: target, columns: source\n"
        "\n" +
            std::string(26, ' ') + "t   \n" + std::string(26, ' ') + "h   \n" + std::string(26, ' ') + "e a \n" +
            std::string(24, 'y') + "… ██· \n" +
            "\n"
            "weight:  ░░ from 0.05  ▒▒ from 0.25  ▓▓ from 0.5  ██ from 0.75\n");
}

TEST_CASE("a panel that is wider than the terminal becomes a sentence") {
  const AttentionMap map = attention_map(zeros({1, 60}));
  CHECK_THAT(map.text(), contains_text("(the map is 122 columns wide, too wide to be drawn here)\n"));
  CHECK_THAT(map.text({.width = 122}), !contains_text("too wide"));
}

TEST_CASE("colours come only when they are asked for") {
  const AttentionMap map = attention_map(weights({0, 1}, {1, 2}));
  CHECK(map.text().find('\x1b') == std::string::npos);
  CHECK_THAT(map.text({.colour = MapColour::full}),
             contains_text("1 \x1b[48;2;253;248;222m  \x1b[0m\x1b[48;2;16;26;84m  \x1b[0m\n"));
  CHECK_THAT(map.text({.colour = MapColour::indexed}),
             contains_text("1 \x1b[48;5;230m  \x1b[0m\x1b[48;5;17m  \x1b[0m\n"));
  CHECK_THAT(map.text({.colour = MapColour::full}), contains_text("weight: 0 \x1b[48;2;253;248;222m  \x1b[0m"));
}

TEST_CASE("weights beyond the scale and NaN are marked and counted; rounding is not") {
  const AttentionMap map = attention_map(weights({std::nan(""), 1.5, -HUGE_VAL, 1.0 + 1e-6, -1e-6, HUGE_VAL}, {2, 3}));
  CHECK(map.text() ==
        "rows: target, columns: source\n"
        "\n"
        "  1 2 3 \n"
        "1 ?"
        "?!!!!\n"
        "2 ██· !!\n"
        "\n"
        "weight:  ░░ from 0.05  ▒▒ from 0.25  ▓▓ from 0.5  ██ from 0.75  ?"
        "? NaN: 1  !! outside of [0, 1]: 3\n");
}

TEST_CASE("f32 weights and strided views are drawn like any") {
  const Tensor all = weights({1, 0, 0, 0}, {2, 2});
  CHECK(attention_map(all.transpose(0, 1)).text() == attention_map(all.to(DType::f32)).text());
}

TEST_CASE("symbols from right to left keep their order, and the map says so") {
  const AttentionMap map = attention_map(weights({1, 0, 0, 0, 1, 0, 0, 0, 1}, {3, 3}),
                                         {.source = grapheme_clusters("אבג"), .target = {"א", "ב", "ג"}});
  // Left-to-right marks keep a terminal from turning the line.
  CHECK(map.text() ==
        "rows: target (right to left, the first symbol at the top), columns: source (right to left, the first symbol "
        "at the left)\n"
        "\n"
        "  \u200Eא\u200E \u200Eב\u200E \u200Eג\u200E \n"
        "\u200Eא\u200E ██· · \n"
        "\u200Eב\u200E · ██· \n"
        "\u200Eג\u200E · · ██\n"
        "\n"
        "weight:  ░░ from 0.05  ▒▒ from 0.25  ▓▓ from 0.5  ██ from 0.75\n");
}

TEST_CASE("what a map cannot draw is refused") {
  const Tensor one = ones({1, 1});
  CHECK_THAT(error_text([] { return attention_map(Tensor()); }),
             contains_text("[attention_map] expected weights [Tq, Tk], [heads, Tq, Tk] or [layers, heads, Tq, Tk], got "
                           "nothing"));
  CHECK_THAT(error_text([] { return attention_map(ones({2})); }), contains_text("got f32 [2]"));
  CHECK_THAT(error_text([] {
               return attention_map(zeros({0, 2}));
             }),
             contains_text("[attention_map] expected weights [Tq, Tk] of at least one query and key, f32 or f64, got "
                           "f32 [0, 2]"));
  CHECK_THAT(error_text([] { return attention_map(ones({1, 1}, {.dtype = DType::i64})); }), contains_text("got i64"));
  CHECK_THAT(error_text([] { return attention_map(std::vector<MapPanel>()); }),
             contains_text("[attention_map] expected at least one panel, got none"));
  CHECK_THAT(error_text([&] { return attention_map(one, {.low = 1.0, .high = 1.0}); }),
             contains_text("[attention_map] expected finite low < high, got 1 and 1"));
  CHECK_THAT(error_text([&] { return attention_map(one, {.panels_in_row = -1}); }),
             contains_text("[attention_map] expected panels_in_row >= 0, got -1"));
  CHECK_THAT(error_text([&] { return attention_map(one).text({.width = -1}); }),
             contains_text("[attention_map] expected a width >= 0, got -1"));
  CHECK_THAT(error_text([] {
               return attention_map(ones({1, 3}), {.source = {"a", "b"}});
             }),
             contains_text("[attention_map] expected 3 symbols of the source for weights [1, 3], got 2 "
                           "(grapheme_clusters and code_points split a text)"));
  CHECK_THAT(error_text([&] { return attention_map(one, {.target = {"\xFF"}}); }),
             contains_text("[attention_map] symbol 0 of the target is not UTF-8"));
  CHECK_THAT(error_text([&] { return attention_map(one, {.title = "\xC3"}); }),
             contains_text("[attention_map] expected a title in UTF-8, got other bytes"));
  CHECK_THAT(
      error_text([] {
        return attention_map(zeros({201, 200})).svg();
      }),
      contains_text("[attention_map] expected at most 40000 cells in a picture, got 40200: draw fewer panels, or "
                    "parts of them (narrow)"));
}

TEST_CASE("a map is saved by the end of the name, in one step") {
  const tests::TemporaryFolder folder;
  const AttentionMap map = attention_map(ones({1, 1}));
  map.save(folder / "a.svg");
  map.save(folder / "a.txt");
  CHECK(tests::read_file(folder / "a.svg") == map.svg());
  CHECK(tests::read_file(folder / "a.txt") == map.text());
  CHECK_THAT(error_text([&] {
               map.save(folder / "a.gif");
               return 0;
             }),
             contains_text("[attention_map] expected a path that ends in .svg, .png or .txt, got "));
  CHECK_THAT(error_text([&] {
               map.save(folder / "absent/a.svg");
               return 0;
             }),
             contains_text("[attention_map] cannot write " + (folder / "absent/a.svg") + ": "));
  std::filesystem::create_directory(folder / "b.svg");
  CHECK_THAT(error_text([&] {
               map.save(folder / "b.svg");
               return 0;
             }),
             contains_text("cannot write"));
  size_t files = 0;
  for (const auto& each : std::filesystem::directory_iterator(folder.path())) files += each.exists() ? 1 : 0;
  CHECK(files == 3);  // no temporary file is left
}

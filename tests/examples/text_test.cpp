// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/examples/copy_reverse/data/vocabulary.hpp>
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using gradus::examples::BadInput;
using gradus::examples::Item;
using gradus::examples::Line;
using gradus::examples::read_lines;
using gradus::examples::Vocabulary;
using gradus::tests::contains_text;
using gradus::tests::TemporaryFolder;
using gradus::tests::write_file;

namespace {

std::vector<Line> lines_of(const std::string& bytes, int64_t max_length = 20) {
  const TemporaryFolder folder;
  write_file(folder / "file.txt", bytes);
  return read_lines(folder / "file.txt", max_length);
}

}  // namespace

TEST_CASE("lines become code points, whatever the script") {
  const std::vector<Line> lines = lines_of("кот\nשלום\n猫が\n\U0001F600a\n");
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].item == U"кот");
  CHECK(lines[1].item == U"שלום");
  CHECK(lines[2].item == U"猫が");
  CHECK(lines[3].item == U"\U0001F600a");
  CHECK(lines[3].number == 4);
}

TEST_CASE("byte order mark, blanks at the ends, carriage returns and blank lines are dropped") {
  const std::vector<Line> lines = lines_of("\xEF\xBB\xBF one\t\r\n\r\n   \nnew york\nlast");
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].item == U"one");
  CHECK(lines[1].item == U"new york");
  CHECK(lines[1].number == 4);
  CHECK(lines[2].item == U"last");
}

TEST_CASE("a file that cannot be used is refused with its name and its line") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(read_lines(folder / "absent.txt", 20), contains_text("absent.txt: No such file"));
  CHECK_THROWS_WITH(read_lines(folder.path(), 20), contains_text("it is a folder"));
  CHECK_THROWS_WITH(lines_of(""), contains_text("file.txt: the file is empty"));
  CHECK_THROWS_WITH(lines_of(" \n\r\n"), contains_text("nothing but blank lines"));
  CHECK_THROWS_WITH(lines_of("ab\ncd\n\xFF\xFE\n"), contains_text("file.txt, line 3: this is not valid UTF-8"));
  CHECK_THROWS_WITH(lines_of("ab\n\xED\xA0\x80\n"), contains_text("line 2: this is not valid UTF-8"));  // a surrogate
  CHECK_THROWS_WITH(lines_of(std::string("a\nb\0c\n", 6)), contains_text("line 2: a control character"));
  CHECK_THROWS_WITH(lines_of("abc\nabcd\n", 3),
                    contains_text("line 2: a word longer than allowed: it has 4 symbols, --max-length is 3"));
  CHECK(lines_of("кот\n", 3).size() == 1);  // symbols count, not bytes
}

TEST_CASE("UTF-8 and code points convert into each other") {
  const std::u32string text = U"aж猫\U0001F600";
  CHECK(gradus::examples::from_utf8(gradus::examples::to_utf8(text)) == text);
  CHECK_FALSE(gradus::examples::from_utf8("\xC3").has_value());
}

TEST_CASE("large numbers are grouped by thousands") {
  using gradus::examples::grouped;
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1'000) == "1,000");
  CHECK(grouped(1'234'567) == "1,234,567");
  CHECK(grouped(-999) == "-999");
  CHECK(grouped(-1'000) == "-1,000");
}

TEST_CASE("symbols are shown so that they can be seen, and their width is known") {
  using gradus::examples::shown_symbol;
  using gradus::examples::shown_width;
  CHECK(shown_symbol(U'a') == "a");
  CHECK(shown_symbol(U' ') == "␣");
  CHECK(shown_symbol(0x05B0) == "\u25CC\u05B0");  // a Hebrew point on a dotted circle
  CHECK(shown_width(U'ж') == 1);
  CHECK(shown_width(U'猫') == 2);
  CHECK(shown_width(U'が') == 2);
}

TEST_CASE("a vocabulary numbers each symbol once, by code point, after its two marks") {
  const Vocabulary vocabulary(U"cabca");
  CHECK(vocabulary.symbols() == U"abc");
  CHECK(vocabulary.symbol_count() == 3);
  CHECK(vocabulary.size() == 5);
  CHECK(vocabulary.id(U'a') == 2);
  CHECK(vocabulary.id(U'c') == 4);
  for (const char32_t symbol : vocabulary.symbols()) CHECK(vocabulary.symbol(vocabulary.id(symbol)) == symbol);
  CHECK(vocabulary.symbol(Vocabulary::kEnd) == 0xFFFD);
  CHECK(vocabulary.first_unknown(U"abxa") == U'x');
  CHECK_FALSE(vocabulary.first_unknown(U"abc").has_value());
  CHECK_THROWS_WITH(vocabulary.id(U'x'), contains_text("no such symbol"));
}

TEST_CASE("letters for random sequences are distinct, at any number") {
  for (const int64_t count : {int64_t{1}, int64_t{20}, int64_t{62}, int64_t{63}, Vocabulary::kMostLetters}) {
    CHECK(Vocabulary::letters(count).symbol_count() == count);
  }
  CHECK(Vocabulary::letters(3).symbols() == U"abc");
  CHECK_THROWS_AS(Vocabulary::letters(0), gradus::Error);
}

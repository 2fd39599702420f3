// SPDX-License-Identifier: MIT
#include <gradus/optim/data/vocabulary.hpp>
#include <gradus/tensor/error.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

using namespace gradus;

TEST_CASE("Vocabulary: code points in the order of their bytes, after four marks") {
  const Vocabulary v(
      {"b\xC3\xA4"
       "ab",
       "\xD7\xA9"});
  CHECK(v.size() == 4 + 4);
  CHECK(v.symbol(4) == "a");
  CHECK(v.symbol(5) == "b");
  CHECK(v.symbol(6) == "\xC3\xA4");
  CHECK(v.symbol(7) == "\xD7\xA9");
  CHECK(v.symbol(Vocabulary::kEnd).empty());
  CHECK(v.encode("\xC3\xA4"
                 "b?") == std::vector<int64_t>{6, 5, Vocabulary::kUnknown});
  CHECK(v.decode(std::vector<int64_t>{Vocabulary::kBegin, 6, 5, Vocabulary::kUnknown, Vocabulary::kPad, 4,
                                      Vocabulary::kEnd, 4}) ==
        "\xC3\xA4"
        "b\xEF\xBF\xBD"
        "a");
  CHECK(v.find("a") == 4);
  CHECK_FALSE(v.find("z").has_value());
}

TEST_CASE("Vocabulary: words are cut at blanks and joined by one; rare ones are left out") {
  const Vocabulary v({"walk  left\twalk\n", " jump left"}, {.unit = SymbolUnit::word, .least_count = 2});
  CHECK(v.size() == 4 + 2);
  CHECK(v.encode("jump walk left") == std::vector<int64_t>{Vocabulary::kUnknown, 5, 4});
  CHECK(v.decode(std::vector<int64_t>{5, 4}) == "walk left");
}

TEST_CASE("Vocabulary: bytes without marks read any text, and refuse what they do not know") {
  const Vocabulary v({std::string("\xFF\x00z", 3)}, {.unit = SymbolUnit::byte, .marks = false});
  CHECK(v.size() == 3);
  CHECK(v.encode(std::string("\x00z\xFF", 3)) == std::vector<int64_t>{0, 1, 2});
  CHECK(v.decode(std::vector<int64_t>{2, 0}) == std::string("\xFF\x00", 2));
  CHECK(tests::error_text([&] { static_cast<void>(v.encode("z\xFE")); }) ==
        "[Vocabulary::encode] the symbol '\\xfe' is not known, and a vocabulary without marks has no number for "
        "unknown ones");
}

TEST_CASE("Vocabulary: its text gives the same vocabulary again") {
  const std::vector<std::string> texts = {std::string("a\\\n\t\x00\x7F", 6), "\xC3\xA4 b"};
  for (const SymbolUnit unit : {SymbolUnit::code_point, SymbolUnit::word, SymbolUnit::byte}) {
    for (const bool marks : {false, true}) {
      const Vocabulary v(texts, {.unit = unit, .marks = marks});
      const Vocabulary again = Vocabulary::from_text(v.to_text());
      CHECK(again.to_text() == v.to_text());
      CHECK(again.size() == v.size());
      CHECK(again.unit() == unit);
      CHECK(again.has_marks() == marks);
      for (const std::string& text : texts) CHECK(again.encode(text) == v.encode(text));
    }
  }
}

TEST_CASE("Vocabulary: messages") {
  const auto refused = [](const std::string& text) {
    return tests::error_text([&] { static_cast<void>(Vocabulary::from_text(text)); });
  };
  const std::string head = "gradus vocabulary 1 byte with marks\n";
  CHECK(refused("something") ==
        "[Vocabulary::from_text] expected a first line \"gradus vocabulary 1 code_point with marks\"");
  CHECK(refused(head) == "[Vocabulary::from_text] expected at least one symbol");
  CHECK(refused(head + "a\nb") == "[Vocabulary::from_text] line 3 does not end: the text is cut short");
  CHECK(refused(head + "a\n\n") == "[Vocabulary::from_text] line 3 is empty");
  CHECK(refused(head + "a\na\n") == "[Vocabulary::from_text] line 3: expected symbols in ascending order");
  CHECK(refused(head + "\\x1\n") == "[Vocabulary::from_text] line 2: expected \\x and two digits after a backslash");
  CHECK(refused(head + "a\nbc\n") == "[Vocabulary::from_text] line 3: expected one byte");
  const auto unit = [](const char* name) { return std::string("gradus vocabulary 1 ") + name + " without marks\n"; };
  CHECK(refused(unit("code_point") + "ab\n") == "[Vocabulary::from_text] line 2: expected one code_point");
  CHECK(refused(unit("code_point") + "\\xff\n") == "[Vocabulary::from_text] line 2: expected one code_point");
  CHECK(refused(unit("word") + "a b\n") == "[Vocabulary::from_text] line 2: expected one word");
  CHECK(refused(unit("word") + " a\n") == "[Vocabulary::from_text] line 2: expected one word");
  CHECK(refused(unit("word") + "a\n\\x20\n") == "[Vocabulary::from_text] line 3: expected one word");
  CHECK(tests::error_text([] {
          const Vocabulary v({"", ""});
        }) == "[Vocabulary] expected texts with at least one symbol, got none (2 texts, least_count 1)");
  CHECK(tests::error_text([] { const Vocabulary v({"a"}, {.least_count = 0}); }) ==
        "[Vocabulary] expected a least_count of 1 or more, got 0");
  CHECK(tests::error_text([] { const Vocabulary v({"a\xFF"}); }) ==
        "[Vocabulary] expected UTF-8, got another byte in text 0 at position 1");
  const Vocabulary v({"a"});
  CHECK(tests::error_text([&] { static_cast<void>(v.encode("aa\xFF")); }) ==
        "[Vocabulary::encode] expected UTF-8, got another byte at position 2");
  CHECK(tests::error_text([&] { static_cast<void>(v.symbol(5)); }) ==
        "[Vocabulary::symbol] expected a number from 0 to 4, got 5");
  CHECK(tests::error_text([&] { static_cast<void>(v.decode(std::vector<int64_t>{-1})); }) ==
        "[Vocabulary::symbol] expected a number from 0 to 4, got -1");
}

// SPDX-License-Identifier: MIT
#include <algorithm>

#include <gradus/optim/data/text_rows.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;

namespace {

const VocabularyOptions kPlain = {.marks = false};

std::vector<int64_t> row_of(const Tensor& x, int64_t row) {
  const auto* const first = x.data<int64_t>() + row * x.size(1);
  return {first, first + x.size(1)};
}

// Symbols of one to four bytes.
std::string random_text(int64_t symbols, uint64_t seed) {
  tests::RandomNumbers random(seed);
  const std::vector<std::string> letters = {"a", "b", "\n", "\xC3\xA4", "\xD7\xA9", "\xE4\xB8\x80", "\xF0\x9F\x98\x80"};
  std::string out;
  for (int64_t i = 0; i < symbols; ++i) out += letters[size_t(random.integer(0, 6))];
  return out;
}

}  // namespace

TEST_CASE("TextRows: each window goes on where the last one ended, and targets are one symbol ahead") {
  const tests::TemporaryFolder folder;
  tests::write_file(folder / "text", "abcdefghijklmnop");
  const Vocabulary v({"abcdefghijklmnop"}, kPlain);
  TextRows rows(folder / "text", v, {.rows = 2, .steps = 3});
  const TextWindow first = rows.next();
  CHECK(first.begins);
  CHECK(first.tokens == 6);
  CHECK(bitwise_equal(first.input, Tensor::from({0, 1, 2, 8, 9, 10}, {2, 3}, {.dtype = DType::i64})));
  CHECK(bitwise_equal(first.target, Tensor::from({1, 2, 3, 9, 10, 11}, {2, 3}, {.dtype = DType::i64})));
  const TextWindow second = rows.next();
  CHECK_FALSE(second.begins);
  CHECK(bitwise_equal(second.input, Tensor::from({3, 4, 5, 11, 12, 13}, {2, 3}, {.dtype = DType::i64})));
  CHECK(rows.pass() == 0);
  CHECK(rows.next().begins);
  CHECK(rows.pass() == 1);
}

TEST_CASE("TextRows: a pass reads the text of each row, whatever the bytes of its symbols; a saved place goes on") {
  const uint64_t seed = tests::seed(3);
  INFO("seed " << seed);
  const tests::TemporaryFolder folder;
  const std::string text = random_text(3000, seed);
  tests::write_file(folder / "text", text);
  const Vocabulary v = Vocabulary::of_file(folder / "text", kPlain);
  CHECK(v.to_text() == Vocabulary({text}, kPlain).to_text());
  const std::vector<int64_t> ids = v.encode(text);
  TextRows rows(folder / "text", v, {.rows = 1, .steps = 7}), resumed(folder / "text", v, {.rows = 1, .steps = 7});
  std::vector<int64_t> read;
  while (rows.pass() == 0) {
    const TextWindow window = rows.next();
    if (rows.pass() > 0) break;
    const std::vector<int64_t> input = row_of(window.input, 0);
    read.insert(read.end(), input.begin(), input.end());
    CHECK(row_of(window.target, 0).back() == ids[read.size()]);
  }
  CHECK(read.size() == 2999 / 7 * 7);
  CHECK(read == std::vector<int64_t>(ids.begin(), ids.begin() + int64_t(read.size())));
  TextRows many(folder / "text", v, {.rows = 5, .steps = 11, .begin = 0.25, .end = 0.75});
  for (int i = 0; i < 100; ++i) static_cast<void>(many.next());
  CHECK(many.pass() > 2);
  TextRows again(folder / "text", v, {.rows = 5, .steps = 11, .begin = 0.25, .end = 0.75});
  again.load_state_dict(many.state_dict());
  for (int i = 0; i < 60; ++i) {
    const TextWindow a = many.next(), b = again.next();
    CHECK(a.begins == b.begins);
    CHECK(bitwise_equal(a.input, b.input));
    CHECK(bitwise_equal(a.target, b.target));
  }
}

TEST_CASE("TextRows: rows that hold hardly more than one window give whole windows in every pass") {
  const tests::TemporaryFolder folder;
  const std::string letters = "abcdefghijklmnopqrstuvwxyzABCDEFGH";
  for (const size_t length : {size_t{18}, size_t{20}, size_t{26}, size_t{34}}) {
    const std::string text = letters.substr(0, length);
    tests::write_file(folder / "text", text);
    const Vocabulary v({text}, kPlain);
    const std::vector<int64_t> ids = v.encode(text);
    TextRows rows(folder / "text", v, {.rows = 2, .steps = 8});
    std::vector<TextWindow> windows;  // keeps the memory, so that no window sees the numbers of an older one
    for (int i = 0; i < 60; ++i) {
      windows.push_back(rows.next());
      for (const int64_t row : {0, 1}) {
        INFO(length << " symbols, window " << i << ", row " << row);
        const std::vector<int64_t> input = row_of(windows.back().input, row),
                                   target = row_of(windows.back().target, row);
        const auto at = std::search(ids.begin(), ids.end(), input.begin(), input.end());
        REQUIRE(ids.end() - at > 8);
        CHECK(target == std::vector<int64_t>(at + 1, at + 9));
        CHECK((at - ids.begin() < int64_t(length) / 2) == (row == 0));
      }
    }
    CHECK(rows.pass() > 10);
  }
}

TEST_CASE("Vocabulary::of_file cuts pieces of a large file between symbols") {
  const tests::TemporaryFolder folder;
  std::string text = "x";
  while (text.size() < 2'200'000) text += "\xE4\xB8\x80\xE4\xB8\x81 ";
  tests::write_file(folder / "text", text);
  CHECK(Vocabulary::of_file(folder / "text", {.marks = false}).size() == 4);
  CHECK(Vocabulary::of_file(folder / "text", {.unit = SymbolUnit::word, .marks = false}).size() == 2);
}

TEST_CASE("TextRows and Vocabulary::of_file: messages") {
  using tests::error_text;
  const tests::TemporaryFolder folder;
  const std::string path = folder / "text";
  const Vocabulary v({"abc"}, kPlain);
  const auto refused = [&](const Vocabulary& vocabulary, const TextRowsOptions& options) {
    return error_text([&] { const TextRows rows(path, vocabulary, options); });
  };
  CHECK(refused(v, {.rows = 1, .steps = 1}) ==
        "[TextRows] " + path + ": cannot open the file: No such file or directory");
  CHECK(error_text([&] { static_cast<void>(Vocabulary::of_file(path)); }) ==
        "[Vocabulary::of_file] " + path + ": cannot open the file: No such file or directory");
  tests::write_file(path, "abcabc");
  CHECK(refused(v, {.rows = 0, .steps = 1}) == "[TextRows] expected rows and steps of 1 or more, got 0 and 1");
  CHECK(refused(v, {.rows = 1, .steps = 1, .begin = 0.5, .end = 0.5}) ==
        "[TextRows] expected 0 <= begin < end <= 1, got 0.5 and 0.5");
  CHECK(refused(v, {.rows = 2, .steps = 3}) == "[TextRows] " + path +
                                                   ": the part from 0 to 1 has 6 bytes, which is too short for 2 rows "
                                                   "of 4 symbols");
  CHECK(refused(Vocabulary({"a"}, {.unit = SymbolUnit::word}), {.rows = 1, .steps = 1}) ==
        "[TextRows] expected a vocabulary of code points or bytes, got one of words");
  CHECK(refused(Vocabulary({"ab"}, kPlain), {.rows = 1, .steps = 3}) ==
        "[TextRows] " + path +
            ", after byte 0: [Vocabulary::encode] the symbol 'c' is not known, and a vocabulary without marks has no "
            "number for unknown ones");
  TextRows rows(path, v, {.rows = 1, .steps = 2});
  std::vector<NamedTensor> state = rows.state_dict();
  state[2].value = Tensor::from({7}, {1}, {.dtype = DType::i64});
  CHECK(error_text([&] { rows.load_state_dict(state); }) ==
        "[TextRows] the saved state is of another text or other rows: expected at[0] from 0 to 6, got 7");
  state.pop_back();
  CHECK(error_text([&] { rows.load_state_dict(state); }) == "[TextRows] the saved state does not fit: missing: at");
  CHECK(error_text([&] { static_cast<void>(Vocabulary::of_file(path, {.least_count = 3})); }) ==
        "[Vocabulary::of_file] " + path + " has no symbol that occurs 3 times");
  tests::write_file(path, "\x80\x80\x80\x80\x80\x80");
  CHECK(error_text([&] { rows.next(); }) == "[TextRows] " + path + ": the file has changed since it was opened");
  tests::write_file(path, "");
  CHECK(error_text([&] { static_cast<void>(Vocabulary::of_file(path)); }) ==
        "[Vocabulary::of_file] " + path + ": the file is empty; expected text");
  tests::write_file(path, "ab\xC3");
  CHECK(error_text([&] { static_cast<void>(Vocabulary::of_file(path)); }) ==
        "[Vocabulary::of_file] " + path + ": expected UTF-8, got another byte at position 2");
}

TEST_CASE("TextRows: a file that was changed after it was opened") {
  const tests::TemporaryFolder folder;
  const std::string path = folder / "text";
  tests::write_file(path, "abababababab");
  TextRows rows(path, Vocabulary({"ab"}, kPlain), {.rows = 1, .steps = 7});
  tests::write_file(path, "\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80");  // as many bytes, fewer symbols
  CHECK(tests::error_text([&] { static_cast<void>(rows.next()); }) ==
        "[TextRows] " + path + ": the file has changed since it was opened");
}

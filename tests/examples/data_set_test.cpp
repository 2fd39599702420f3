// SPDX-License-Identifier: MIT
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/copy_reverse/data/batches.hpp>
#include <gradus/examples/copy_reverse/data/data_set.hpp>
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using gradus::Generator;
using gradus::Tensor;
using gradus::tests::contains_text;
using namespace gradus::examples;

namespace {

constexpr uint64_t kSeed = 41;

RandomItems random_items(int64_t vocab, int64_t min_length, int64_t max_length) {
  return {.letters = Vocabulary::letters(vocab), .min_length = min_length, .max_length = max_length};
}

std::vector<Line> all_pairs_of_letters() {
  std::vector<Line> lines;
  for (char32_t a = U'a'; a <= U'z'; ++a) {
    for (char32_t b = U'a'; b <= U'z'; ++b) lines.push_back({Item{a, b}, static_cast<int64_t>(lines.size()) + 1});
  }
  return lines;
}

std::vector<int64_t> row(const Tensor& tensor, int64_t index) {
  const int64_t* first = tensor.data<int64_t>() + index * tensor.size(1);
  return {first, first + tensor.size(1)};
}

}  // namespace

TEST_CASE("an item's hash is the same on every machine") {
  // Fixed values: another split would make published scores incomparable.
  CHECK(item_hash(U"") == 0xf52a15e9a9b5e89bu);
  CHECK(item_hash(U"abandon") == 0xe0e9f60ba747d7c5u);
  CHECK(item_hash(U"猫") == 0x3265200282f13e7du);
}

TEST_CASE("about one item in ten is held out, at every length") {
  const RandomItems random = random_items(20, 1, 20);
  const uint64_t seed = gradus::tests::seed(kSeed);
  INFO("seed " << seed);
  RandomNumbers numbers{Generator(seed)};
  std::vector<int> items(21);
  std::vector<int> held_out(21);
  Item item;
  for (int i = 0; i < 200'000; ++i) {
    random.draw(numbers, item);
    ++items[item.size()];
    held_out[item.size()] += is_held_out(item) ? 1 : 0;
  }
  CHECK(items[0] == 0);
  // There are about 10,000 draws of each length. A share of a tenth has a standard deviation of 0.003; the margin is
  // five of these.
  for (size_t length = 3; length <= 20; ++length) {
    CHECK(items[length] == Approx(10'000).margin(500));
    CHECK(static_cast<double>(held_out[length]) / items[length] == Approx(0.1).margin(0.015));
  }
}

TEST_CASE("the split of a file depends on the items alone") {
  std::vector<Line> lines = all_pairs_of_letters();
  const DataSet once = data_set_from_lines("f", lines, nullptr);
  CHECK(once.held_out.size() + once.training.size() == 676);
  CHECK(once.held_out.size() > 40);
  CHECK(once.held_out.size() < 100);

  std::reverse(lines.begin(), lines.end());
  const std::vector<Line> twice_over = lines;
  lines.insert(lines.end(), twice_over.begin(), twice_over.end());
  const DataSet again = data_set_from_lines("f", lines, nullptr);
  CHECK(std::set<Item>(again.held_out.begin(), again.held_out.end()) ==
        std::set<Item>(once.held_out.begin(), once.held_out.end()));
  CHECK(again.training.size() == once.training.size());
  CHECK(again.vocabulary.symbols() == once.vocabulary.symbols());
}

TEST_CASE("no stream of training items ever gives a held-out one, whatever the seed") {
  const DataSet file = data_set_from_lines("f", all_pairs_of_letters(), nullptr);
  for (const uint64_t seed : {uint64_t{1}, uint64_t{2}, uint64_t{3}}) {
    const DataSet random = random_data_set(random_items(5, 1, 6), 100, Generator(seed));
    for (const DataSet* data : {&file, &random}) {
      TrainingItems items(*data, Generator(seed + 10));
      int held_out = 0;
      for (int i = 0; i < 2'000; ++i) held_out += is_held_out(items.next()) ? 1 : 0;
      CHECK(held_out == 0);
    }
  }
}

TEST_CASE("each time round, a file's training items come once, in another order") {
  const DataSet data = data_set_from_lines("f", all_pairs_of_letters(), nullptr);
  TrainingItems items(data, Generator(kSeed));
  std::vector<Item> first;
  std::vector<Item> second;
  for (size_t i = 0; i < data.training.size(); ++i) first.push_back(items.next());
  for (size_t i = 0; i < data.training.size(); ++i) second.push_back(items.next());
  CHECK(first != second);
  CHECK(std::set<Item>(first.begin(), first.end()).size() == data.training.size());
  CHECK(std::set<Item>(second.begin(), second.end()).size() == data.training.size());
}

TEST_CASE("held-out random sequences are distinct, within the lengths, and as many as asked for") {
  const auto [count, wanted] = GENERATE(std::pair<int64_t, int64_t>(20, 1'000), std::pair<int64_t, int64_t>(3, 200));
  const DataSet data = random_data_set(random_items(count, 2, 8), wanted, Generator(kSeed));
  CHECK(static_cast<int64_t>(data.held_out.size()) == wanted);
  CHECK(std::set<Item>(data.held_out.begin(), data.held_out.end()).size() == data.held_out.size());
  for (const Item& item : data.held_out) {
    REQUIRE(is_held_out(item));
    REQUIRE(item.size() >= 2);
    REQUIRE(item.size() <= 8);
  }
}

TEST_CASE("where there are few random sequences, all held-out ones are found") {
  // 3 + 9 + 27 + 81 sequences, each looked at once.
  const DataSet data = random_data_set(random_items(3, 1, 4), 10'000, Generator(kSeed));
  int64_t expected = 0;
  Item item;
  RandomNumbers numbers{Generator(kSeed)};
  std::set<Item> seen;
  for (int i = 0; i < 20'000; ++i) {
    random_items(3, 1, 4).draw(numbers, item);
    if (seen.insert(item).second) expected += is_held_out(item) ? 1 : 0;
  }
  CHECK(seen.size() == 120);
  CHECK(static_cast<int64_t>(data.held_out.size()) == expected);
}

TEST_CASE("data that fall to one side of the split are refused") {
  CHECK_THROWS_WITH(random_data_set(random_items(1, 1, 1), 10, Generator(1)), contains_text("no item is held out"));
  CHECK_THROWS_WITH(data_set_from_lines("f.txt", {{U"a", 1}}, nullptr), contains_text("f.txt: no item is held out"));
  Item held_out = U"a";
  while (!is_held_out(held_out)) held_out += U'a';
  CHECK_THROWS_WITH(data_set_from_lines("f.txt", {{held_out, 1}, {held_out, 2}}, nullptr),
                    contains_text("f.txt: every item is held out"));
}

TEST_CASE("a symbol that a loaded model does not know is refused with its line") {
  const Vocabulary known(U"abcdefghijklmnopqrstuvwxy");
  CHECK_THROWS_WITH(data_set_from_lines("f.txt", all_pairs_of_letters(), &known),
                    contains_text("f.txt, line 26: the loaded model does not know the symbol 'z'"));
}

TEST_CASE("a batch holds sources, shifted targets, end marks and what is to be ignored") {
  const Vocabulary vocabulary(U"abc");  // a 2, b 3, c 4
  const std::vector<Item> items = {U"abc", U"b"};
  const gradus::SequenceBatch batch = make_batch(items, vocabulary, Task::reverse);
  CHECK(row(batch.source, 0) == std::vector<int64_t>{2, 3, 4});
  CHECK(row(batch.source, 1) == std::vector<int64_t>{3, 0, 0});
  CHECK(batch.source_lengths.data<int64_t>()[0] == 3);
  CHECK(batch.source_lengths.data<int64_t>()[1] == 1);
  CHECK(row(batch.target_in, 0) == std::vector<int64_t>{1, 4, 3, 2});
  CHECK(row(batch.target_in, 1) == std::vector<int64_t>{1, 3, 0, 0});
  CHECK(row(batch.target_out, 0) == std::vector<int64_t>{4, 3, 2, 0});
  CHECK(row(batch.target_out, 1) == std::vector<int64_t>{3, 0, gradus::kIgnoredTarget, gradus::kIgnoredTarget});
  CHECK(batch.tokens == 6);
  CHECK(row(make_batch(items, vocabulary, Task::copy).target_out, 0) == std::vector<int64_t>{2, 3, 4, 0});
}

TEST_CASE("training batches hold items of similar length and repeat for a seed") {
  const DataSet data = random_data_set(random_items(20, 1, 20), 10, Generator(kSeed));
  TrainingBatches batches(data, Task::copy, 32, Generator(7));
  TrainingBatches same(data, Task::copy, 32, Generator(7));
  int64_t tokens = 0;
  int64_t elements = 0;
  for (int i = 0; i < 100; ++i) {
    const gradus::SequenceBatch batch = batches.next();
    REQUIRE(batch.source.size(0) == 32);
    REQUIRE(bitwise_equal(batch.source, same.next().source));
    tokens += batch.tokens;
    elements += batch.target_out.numel();
  }
  // Without sorting, 45 % of the elements would be padding; with it, about 5 %.
  CHECK(static_cast<double>(tokens) / static_cast<double>(elements) > 0.9);
  TrainingBatches other(data, Task::copy, 32, Generator(8));
  CHECK_FALSE(bitwise_equal(other.next().source, TrainingBatches(data, Task::copy, 32, Generator(7)).next().source));
}

// SPDX-License-Identifier: MIT
#include <algorithm>
#include <set>

#include <gradus/optim/data/batches.hpp>
#include <gradus/optim/data/vocabulary.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;
using Batch = std::vector<int64_t>;

namespace {

std::vector<int64_t> random_lengths(size_t count, uint64_t seed) {
  tests::RandomNumbers random(seed);
  std::vector<int64_t> out;
  for (size_t i = 0; i < count; ++i) out.push_back(random.integer(1, 40));
  return out;
}

std::vector<Batch> epoch_of(BatchOrder& order) {
  std::vector<Batch> out;
  const int64_t count = order.batches_per_epoch();
  for (int64_t i = 0; i < count; ++i) out.push_back(order.next());
  return out;
}

Tensor integers(const Shape& shape, std::initializer_list<double> values) {
  return Tensor::from(values, shape, {.dtype = DType::i64});
}

}  // namespace

TEST_CASE("BatchOrder: each epoch has each item once, in batches of similar length, and no two epochs are alike") {
  const uint64_t seed = tests::seed(7);
  INFO("seed " << seed);
  const std::vector<int64_t> lengths = random_lengths(1003, seed);
  BatchOrder order(lengths, {.batch_size = 10, .seed = seed});
  CHECK(order.batches_per_epoch() == 101);
  const std::vector<Batch> first = epoch_of(order);
  CHECK(order.epoch() == 1);
  const std::vector<Batch> second = epoch_of(order);
  CHECK(first != second);
  int64_t padding = 0;
  std::set<int64_t> seen;
  for (const Batch& batch : first) {
    seen.insert(batch.begin(), batch.end());
    int64_t longest = 0;
    for (const int64_t item : batch) longest = std::max(longest, lengths[size_t(item)]);
    for (const int64_t item : batch) padding += longest - lengths[size_t(item)];
  }
  CHECK(seen.size() == 1003);
  CHECK(padding < 1003);  // about 0.6 symbols an item; without sorting about 17
  CHECK(first.front() != second.front());
}

TEST_CASE("BatchOrder is a function of seed and epoch: a saved place continues with the same batches") {
  const std::vector<int64_t> lengths = random_lengths(50, 3);
  BatchOrder order(lengths, {.batch_size = 4, .seed = 5});
  for (int i = 0; i < 17; ++i) static_cast<void>(order.next());
  const std::vector<NamedTensor> state = order.state_dict();
  BatchOrder other(lengths, {.batch_size = 4, .seed = 5});
  other.load_state_dict(state);
  for (int i = 0; i < 30; ++i) CHECK(order.next() == other.next());
  BatchOrder another(lengths, {.batch_size = 4, .seed = 6});
  BatchOrder again(lengths, {.batch_size = 4, .seed = 5});
  CHECK(epoch_of(again) != epoch_of(another));
}

TEST_CASE("BatchOrder: without shuffling and sorting the items come in their order") {
  BatchOrder order({3, 1, 2, 5, 4}, {.batch_size = 2, .shuffle = false, .pool = 1});
  CHECK(epoch_of(order) == std::vector<Batch>{{0, 1}, {2, 3}, {4}});
  CHECK(epoch_of(order) == std::vector<Batch>{{0, 1}, {2, 3}, {4}});
  BatchOrder whole({3, 1, 2, 5, 4}, {.batch_size = 2, .shuffle = false, .drop_last = true});
  CHECK(epoch_of(whole) == std::vector<Batch>{{1, 2}, {0, 4}});
}

TEST_CASE("BatchOrder: messages") {
  using tests::error_text;
  CHECK(error_text([] { const BatchOrder order({}, {.batch_size = 2}); }) ==
        "[BatchOrder] expected at least 1 items, got 0");
  CHECK(error_text([] { const BatchOrder order({1}, {.batch_size = 2, .drop_last = true}); }) ==
        "[BatchOrder] expected at least 2 items, got 1");
  CHECK(error_text([] { const BatchOrder order({1}, {.batch_size = 0}); }) ==
        "[BatchOrder] expected batch_size >= 1 and pool >= 1, got 0 and 32");
  BatchOrder order({1, 2, 3}, {.batch_size = 1});
  static_cast<void>(order.next());
  const Batch expected = BatchOrder(order).next();
  std::vector<NamedTensor> state = order.state_dict();
  state[1].value = integers({}, {3});
  CHECK(error_text([&] { order.load_state_dict(state); }) ==
        "[BatchOrder] the saved state is of other data or another batch_size: expected a batch from 0 to 2, got 3");
  state.pop_back();
  CHECK(error_text([&] { order.load_state_dict(state); }) ==
        "[BatchOrder] the saved state does not fit: missing: batch");
  CHECK(order.next() == expected);
}

TEST_CASE("make_sequence_batch pads sources and targets, and adds the marks") {
  const std::vector<Sequence> sources = {{7, 8, 9}, {5}, {6, 6}}, targets = {{9}, {}, {4, 5}};
  const SequenceBatch batch = make_sequence_batch(sources, targets, Batch{1, 2});
  CHECK(bitwise_equal(batch.source, integers({2, 2}, {5, 0, 6, 6})));
  CHECK(bitwise_equal(batch.source_lengths, integers({2}, {1, 2})));
  CHECK(bitwise_equal(batch.target_in, integers({2, 3}, {1, 0, 0, 1, 4, 5})));
  CHECK(bitwise_equal(batch.target_out, integers({2, 3}, {2, -100, -100, 4, 5, 2})));
  CHECK(batch.tokens == 4);
  CHECK(tests::error_text([&] { static_cast<void>(make_sequence_batch(sources, targets, Batch{3})); }) ==
        "[make_sequence_batch] expected items from 0 to 2, got 3");
  CHECK(tests::error_text([&] { static_cast<void>(make_sequence_batch(sources, {}, Batch{0})); }) ==
        "[make_sequence_batch] expected as many targets as sources, got 3 sources and 0 targets");
  CHECK(tests::error_text([] { static_cast<void>(pad_sequences({}, 0)); }) ==
        "[pad_sequences] expected at least one sequence, got none");
}

TEST_CASE("read_lines and read_pairs read files as they are published") {
  const tests::TemporaryFolder folder;
  const std::string path = folder / "pairs.tsv";
  tests::write_file(path, "\xEF\xBB\xBFser\tsoy\tV;1;SG\r\n\nir\tvoy\tV;1;SG");
  CHECK(read_lines(path) == std::vector<std::string>{"ser\tsoy\tV;1;SG", "ir\tvoy\tV;1;SG"});
  const std::vector<TextPair> pairs = read_pairs(path, {.source = 0, .target = 1, .tags = 2});
  CHECK(pairs.size() == 2);
  CHECK(pairs[1].source == "ir");
  CHECK(pairs[1].target == "voy");
  CHECK(pairs[1].tags == "V;1;SG");
  CHECK(pairs[0].line == 1);
  CHECK(pairs[1].line == 3);
  CHECK(read_pairs(path, {.source = 2, .target = 0})[0].source == "V;1;SG");
  const std::vector<TextLine> lines = read_numbered_lines(path);
  CHECK(lines.size() == 2);
  CHECK(lines[1].text == "ir\tvoy\tV;1;SG");
  CHECK(lines[1].line == 3);
}

TEST_CASE("read_lines and read_pairs: messages") {
  using tests::error_text;
  const tests::TemporaryFolder folder;
  const std::string path = folder / "pairs.tsv";
  CHECK(error_text([&] { static_cast<void>(read_lines(path)); }) ==
        "[read_lines] " + path + ": cannot open the file: No such file or directory");
  CHECK(error_text([&] { static_cast<void>(read_lines(folder.path())); }) ==
        "[read_lines] " + folder.path() + ": this is no regular file");
  tests::write_file(path, "\n\r\n");
  CHECK(error_text([&] { static_cast<void>(read_lines(path)); }) ==
        "[read_lines] " + path + " has no line that is not empty");
  CHECK(error_text([&] { static_cast<void>(read_numbered_lines(path)); }) ==
        "[read_numbered_lines] " + path + " has no line that is not empty");
  tests::write_file(path, "a\tb\nc\n");
  CHECK(error_text([&] { static_cast<void>(read_pairs(path)); }) ==
        "[read_pairs] " + path + ", line 2: expected at least 2 columns with a tab between them, got 1");
  CHECK(error_text([&] { static_cast<void>(read_pairs(path, {.source = -1})); }) ==
        "[read_pairs] expected columns of 0 or more (tags also -1), got source -1, target 1, tags -1");
  tests::write_file(path, "a\n\xC3\n");
  CHECK(error_text([&] { static_cast<void>(read_lines(path)); }) ==
        "[read_lines] " + path + ", line 2: this is not valid UTF-8 at byte 1");
}

TEST_CASE("read_pairs: each broken field of each line is named") {
  using tests::error_text;
  const tests::TemporaryFolder folder;
  const std::string path = folder / "pairs.tsv";
  const std::vector<std::vector<std::string>> good = {{"ir", "voy", "V"}, {"ser", "es", "V"}, {"a\xC3\xA4", "b", "N"}};
  const auto refused = [&](const std::vector<std::vector<std::string>>& rows) {
    std::string text;
    for (const auto& row : rows) {
      for (size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : "\t") + row[i];
      text += "\n\n";
    }
    tests::write_file(path, text);
    return error_text([&] { static_cast<void>(read_pairs(path, {.tags = 2})); });
  };
  CHECK(refused(good) == "(no error)");
  for (size_t row = 0; row < good.size(); ++row) {
    const std::string place = "[read_pairs] " + path + ", line " + std::to_string(2 * row + 1) + ": ";
    size_t byte = 1;
    for (size_t column = 0; column < good[row].size(); ++column) {
      CAPTURE(row, column);
      auto broken = good;
      byte += broken[row][column].size();
      broken[row][column] += "\xE2\x82";
      CHECK(refused(broken) == place + "this is not valid UTF-8 at byte " + std::to_string(byte++));
      broken = good;
      broken[row].erase(broken[row].begin() + static_cast<int64_t>(column));
      CHECK(refused(broken) == place + "expected at least 3 columns with a tab between them, got 2");
    }
  }
}

// SPDX-License-Identifier: MIT
#include <stdexcept>
#include <thread>

#include <gradus/optim/data/batches.hpp>
#include <gradus/optim/data/text_rows.hpp>
#include <gradus/optim/data/vocabulary.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/creation.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;
using Items = std::vector<int64_t>;

namespace {

// Counts from 0. Throws once at each number of `bad`, which it leaves out then.
class Numbers {
 public:
  explicit Numbers(Items bad = {}) : bad_(std::move(bad)) {}

  int64_t next() {
    maker = std::this_thread::get_id();
    const int64_t now = at_++;
    for (const int64_t number : bad_) {
      if (number == now) throw std::runtime_error("no " + std::to_string(now));
    }
    return now;
  }
  std::vector<NamedTensor> state_dict() const {
    return {{"at", full({}, static_cast<double>(at_), {.dtype = DType::i64})}};
  }
  void load_state_dict(const std::vector<NamedTensor>& state) {
    if (state.size() != 1) throw std::runtime_error("expected one tensor");
    at_ = state[0].value.item<int64_t>();
  }

  std::thread::id maker;

 private:
  int64_t at_ = 0;
  Items bad_;
};

std::vector<Sequence> some_sequences() {
  std::vector<Sequence> out;
  for (int64_t i = 0; i < 37; ++i) out.emplace_back(static_cast<size_t>(1 + i % 7), 4 + i % 5);
  return out;
}

Items lengths_of(const std::vector<Sequence>& sequences) {
  Items out;
  for (const Sequence& one : sequences) out.push_back(static_cast<int64_t>(one.size()));
  return out;
}

}  // namespace

TEST_CASE("Prefetch gives the batches of its source, made on another thread") {
  const std::vector<Sequence> x = some_sequences();
  BatchOrder order(lengths_of(x), {.batch_size = 4, .seed = 2}), plain(lengths_of(x), {.batch_size = 4, .seed = 2});
  const auto make = [&](const Items& items) { return make_sequence_batch(x, x, items); };
  Prefetch batches(order, make, {.batches = 3});
  for (int i = 0; i < 50; ++i) {
    const SequenceBatch got = batches.next(), expected = make(plain.next());
    CHECK(bitwise_equal(got.source, expected.source));
    CHECK(bitwise_equal(got.target_out, expected.target_out));
    CHECK(got.tokens == expected.tokens);
  }
  Numbers numbers;
  {
    Prefetch counted(numbers);
    for (int64_t i = 0; i < 100; ++i) CHECK(counted.next() == i);
  }
  CHECK(numbers.maker != std::this_thread::get_id());
}

TEST_CASE("Prefetch: the state is that of the batches that were taken") {
  const tests::TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 400; ++i) text += static_cast<char>('a' + i * i % 23);
  tests::write_file(folder / "text", text);
  const Vocabulary vocabulary = Vocabulary({text}, {.marks = false});
  const TextRowsOptions options{.rows = 3, .steps = 7};
  TextRows rows(folder / "text", vocabulary, options), again(folder / "text", vocabulary, options),
      plain(folder / "text", vocabulary, options);
  Prefetch batches(rows, {.batches = 4});
  std::vector<NamedTensor> state = batches.state_dict();
  for (int i = 0; i < 25; ++i) {
    Prefetch resumed(again);
    resumed.load_state_dict(state);
    const TextWindow expected = plain.next(), got = batches.next(), other = resumed.next();
    CHECK(bitwise_equal(got.input, expected.input));
    CHECK(bitwise_equal(other.input, expected.input));
    CHECK(other.begins == expected.begins);
    state = batches.state_dict();
  }
}

TEST_CASE("Prefetch: a state is loaded between batches, and a wrong one changes nothing") {
  Numbers numbers;
  Prefetch batches(numbers, {.batches = 2});
  for (int64_t i = 0; i < 5; ++i) CHECK(batches.next() == i);
  const std::vector<NamedTensor> after_five = batches.state_dict();
  CHECK(after_five[0].value.item<int64_t>() == 5);
  for (int64_t i = 5; i < 20; ++i) CHECK(batches.next() == i);
  CHECK_THROWS_WITH(batches.load_state_dict({}), "expected one tensor");
  CHECK(batches.next() == 20);
  batches.load_state_dict(after_five);
  CHECK(batches.state_dict()[0].value.item<int64_t>() == 5);
  CHECK(batches.next() == 5);
}

TEST_CASE("Prefetch: an exception arrives at its batch, and the next call goes on") {
  Numbers numbers({0, 3});
  Prefetch batches(numbers, {.batches = 5});
  CHECK_THROWS_WITH(batches.next(), "no 0");
  CHECK(batches.next() == 1);
  CHECK(batches.next() == 2);
  CHECK_THROWS_WITH(batches.next(), "no 3");
  CHECK(batches.next() == 4);
  CHECK(tests::error_text([&] { Prefetch none(numbers, {.batches = 0}); }) ==
        "[Prefetch] expected batches >= 1, got 0");
}

TEST_CASE("Prefetch ends at any moment") {
  for (int taken = 0; taken < 200; ++taken) {
    Numbers numbers({7});
    Prefetch batches(numbers, {.batches = 1 + taken % 3});
    int64_t last = -1;
    for (int i = 0; i < taken % 7; ++i) last = batches.next();
    CHECK(last == taken % 7 - 1);
  }
}

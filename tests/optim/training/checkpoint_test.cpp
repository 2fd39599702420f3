// SPDX-License-Identifier: MIT
#include <limits>

#include <gradus/nn/layers.hpp>
#include <gradus/optim/training/checkpoint.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;

namespace {

struct Things {
  explicit Things(uint64_t seed) : generator(seed), dropout({.p = 0.5}, generator), linear({3, 2}, generator) {
    checkpoint.add("linear", linear);
    checkpoint.add("dropout", dropout);
    checkpoint.add("generator", generator);
    checkpoint.add("count", count);
    checkpoint.add("best", best);
  }
  Generator generator;
  Dropout dropout;
  Linear linear;
  int64_t count = 0;
  double best = 0.0;
  Checkpoint checkpoint;
};

}  // namespace

TEST_CASE("Checkpoint: a file gives everything back with the same bits, generators of modules too") {
  const tests::TemporaryFolder folder;
  Things a(1), b(2);
  a.count = INT64_MAX - 5;
  a.best = std::numeric_limits<double>::quiet_NaN();
  static_cast<void>(a.dropout(ones({7})));
  a.checkpoint.save(folder / "all.safetensors", {{"step", "12"}});
  const auto metadata = b.checkpoint.load(folder / "all.safetensors");
  CHECK(metadata == std::vector<std::pair<std::string, std::string>>{{"step", "12"}});
  CHECK(b.count == INT64_MAX - 5);
  CHECK(std::isnan(b.best));
  CHECK(bitwise_equal(a.linear.weight().value(), b.linear.weight().value()));
  CHECK(bitwise_equal(a.dropout(ones({100})).value(), b.dropout(ones({100})).value()));
  CHECK(bitwise_equal(uniform({9}, a.generator), uniform({9}, b.generator)));
}

TEST_CASE("Checkpoint: a state that does not fit changes nothing") {
  Things a(1), b(2);
  a.count = 3;
  const Tensor before = b.linear.weight().value().clone();
  const GeneratorState at = b.generator.state();
  const auto refused = [&](const std::vector<NamedTensor>& state) {
    const std::string text = tests::error_text([&] { b.checkpoint.load_state_dict(state); });
    CHECK(bitwise_equal(b.linear.weight().value(), before));
    CHECK(b.count == 0);
    CHECK(b.generator.state().seed == at.seed);
    CHECK(b.generator.state().counter == at.counter);
    return text;
  };
  std::vector<NamedTensor> state = a.checkpoint.state_dict();
  state.back().value = ones({2});
  CHECK(refused(state) ==
        "[Checkpoint] best does not fit: [Checkpoint] the saved state does not fit: wrong shape: value: expected f64 "
        "[], got f32 [2]");
  state.pop_back();
  CHECK(refused(state) == "[Checkpoint] best does not fit: [Checkpoint] the saved state does not fit: missing: value");
  state.push_back({"other.value", ones({})});
  CHECK(refused(state) == "[Checkpoint] unexpected: other.value");
  state.back().name = "other";
  CHECK(refused(state) == "[Checkpoint] unexpected: other");
}

TEST_CASE("Checkpoint: names") {
  Things a(1);
  CHECK(tests::error_text([&] { a.checkpoint.add("count", a.count); }) == "[Checkpoint::add] there is already a count");
  CHECK(tests::error_text([&] { a.checkpoint.add("a.b", a.count); }) ==
        "[Checkpoint::add] expected a name without a dot, got \"a.b\"");
  CHECK(tests::error_text([&] { a.checkpoint.add("", a.count); }) ==
        "[Checkpoint::add] expected a name without a dot, got \"\"");
}

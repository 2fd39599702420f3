// SPDX-License-Identifier: MIT
// Steps whose gradient comes from several batches, one after the other.
#include <cmath>
#include <stdexcept>

#include <gradus/optim/training/trainer.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/optim/training/small_training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;
using tests::SmallTraining;

namespace {

constexpr int64_t kInputs = 5;

struct Pairs {
  Tensor x;
  Tensor y;
  int64_t tokens = 0;
};

// Rows of fixed pairs, in their order, a number at a time.
class Rows {
 public:
  Rows(uint64_t seed, int64_t rows) : rows_(rows) {
    Generator generator(seed);
    x_ = normal({24, kInputs}, generator, {.dtype = DType::f64});
    y_ = normal({24, 1}, generator, {.dtype = DType::f64});
  }
  Pairs next() {
    const int64_t first = next_ % 24;
    next_ += rows_;
    return {.x = x_.slice(0, first, first + rows_), .y = y_.slice(0, first, first + rows_), .tokens = rows_};
  }

 private:
  Tensor x_, y_;
  int64_t rows_;
  int64_t next_ = 0;
};

struct Net {
  explicit Net(uint64_t seed, double learning_rate)
      : generator(seed),
        layer({.input_size = kInputs, .output_size = 1, .dtype = DType::f64}, generator),
        optimizer(layer.parameters(), {.learning_rate = learning_rate}) {}
  Variable loss(const Pairs& pairs) { return mean(square(tanh(layer(pairs.x)) - pairs.y)); }

  Generator generator;
  Linear layer;
  Sgd optimizer;
};

bool same_parameters(Module& a, Module& b) {
  const StateDict x = a.state_dict({.generators = true}), y = b.state_dict({.generators = true});
  bool same = x.size() == y.size();
  for (size_t i = 0; same && i < x.size(); ++i) same = bitwise_equal(x[i].value, y[i].value);
  return same;
}

TrainerOptions options(int64_t steps, const std::string& folder = {}) {
  return {.steps = steps, .accumulate = 3, .clip_norm = 0.5, .evaluate_every = 4, .folder = folder, .save_every = 1};
}

}  // namespace

TEST_CASE("Trainer: k batches of B / k rows give the gradient and the loss of one batch of B rows") {
  const uint64_t seed = tests::seed(41);
  INFO("seed " << seed);
  for (const int64_t k : {1, 2, 3, 4, 6, 12}) {
    INFO(k << " batches");
    Net whole(seed, 0.1), parts(seed, 0.1);
    Rows all(seed, 12), some(seed, 12 / k);
    Trainer one(whole.optimizer, whole.layer.parameters(), {.steps = 5});
    Trainer several(parts.optimizer, parts.layer.parameters(), {.steps = 5, .accumulate = k});
    const auto zero = [] { return 0.0; };
    one.run(
        all, [&](const Pairs& p) { return whole.loss(p); }, zero);
    several.run(
        some, [&](const Pairs& p) { return parts.loss(p); }, zero);
    const auto a = whole.layer.parameters(), b = parts.layer.parameters();
    for (size_t i = 0; i < a.size(); ++i) {
      // Measured: at most 2e-16.
      CHECK(largest_error(a[i].parameter->grad(), b[i].parameter->grad()) < 1e-12);
      CHECK(largest_error(a[i].parameter->value(), b[i].parameter->value()) < 1e-12);
    }
    CHECK(std::abs(one.status().loss - several.status().loss) < 1e-12);
    CHECK(std::abs(one.status().step_loss - several.status().step_loss) < 1e-12);
    CHECK(std::abs(one.status().gradient_norm - several.status().gradient_norm) < 1e-12);
    CHECK(several.status().tokens == 60);
    CHECK(several.status().step == 5);
  }
}

TEST_CASE("Trainer: accumulate does what a hand-written loop does, with the same bits") {
  SmallTraining trained(options(7)), by_hand({.steps = 1});
  trained.run();
  for (int step = 0; step < 7; ++step) {
    by_hand.optimizer.zero_grad();
    for (int i = 0; i < 3; ++i) backward(by_hand.loss(by_hand.batches.next()) * (1.0 / 3.0));
    clip_grad_norm_(by_hand.model.parameters(), 0.5);
    by_hand.optimizer.step();
  }
  CHECK(same_parameters(trained.model, by_hand.model));
}

TEST_CASE("Trainer: a training that ends within the batches of a step resumes with the same bits") {
  const tests::TemporaryFolder whole_folder, folder;
  SmallTraining whole(options(10, whole_folder.path()));
  whole.run();
  // The loss of the second batch of step 6 is never finished: the process ends there.
  SmallTraining killed(options(10, folder.path()));
  int calls = 0;
  const auto loss = [&](const tests::CountingBatch& batch) {
    if (++calls == 3 * 5 + 2) throw std::runtime_error("killed");
    return killed.loss(batch);
  };
  CHECK_THROWS_AS(killed.trainer.run(killed.batches, loss, [&] { return killed.evaluate(); }), std::runtime_error);
  SmallTraining resumed(options(10, folder.path()));
  REQUIRE(resumed.trainer.resume());
  CHECK(resumed.trainer.status().step == 5);
  resumed.run();
  CHECK(same_parameters(whole.model, resumed.model));
  const bool same_bytes =
      tests::read_file(whole_folder / "step_10.safetensors") == tests::read_file(folder / "step_10.safetensors");
  CHECK(same_bytes);
  const bool same_metrics =
      tests::read_file(whole_folder / "metrics.jsonl") == tests::read_file(folder / "metrics.jsonl");
  CHECK(same_metrics);
}

TEST_CASE("Trainer: a bad number in any batch of a step stops it before the update") {
  for (const int bad : {1, 2, 3}) {
    INFO("batch " << bad);
    SmallTraining training(options(5)), two(options(2));
    int calls = 0;
    const auto loss = [&](const tests::CountingBatch& batch) {
      const Variable good = training.loss(batch);
      return ++calls >= 6 + bad ? good + log(good - good - 1.0) : good;
    };
    const std::string text =
        tests::error_text([&] { training.trainer.run(training.batches, loss, [] { return 0.0; }); });
    INFO(text);
    CHECK_THAT(text, tests::contains_text("[Trainer] step 3 was not taken, and no parameter was changed: the loss is "
                                          "nan; first seen at: [log]"));
    CHECK(training.trainer.status().step == 2);
    two.run();
    const StateDict x = training.model.state_dict(), y = two.model.state_dict();
    for (size_t i = 0; i < x.size(); ++i) CHECK(bitwise_equal(x[i].value, y[i].value));
    CHECK_FALSE(training.model.parameters().front().parameter->grad().defined());
  }
  SmallTraining slope(options(5));
  const auto loss = [&](const tests::CountingBatch& batch) {  // its value is finite, its slope is not
    const Variable value = slope.loss(batch);
    return value + sqrt(value - value);
  };
  CHECK_THAT(tests::error_text([&] { slope.trainer.run(slope.batches, loss, [] { return 0.0; }); }),
             tests::contains_text("[Trainer] step 1 was not taken, and no parameter was changed: [clip_grad_norm_] the "
                                  "gradient of embedding.weight is not finite"));
  CHECK(tests::error_text([] { const SmallTraining t({.steps = 1, .accumulate = 0}); }) ==
        "[Trainer] expected accumulate of 1 or more, got 0");
}

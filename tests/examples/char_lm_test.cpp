// SPDX-License-Identifier: MIT
// The character language model: what it learns, carries on, saves and writes.
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/examples/char_lm/sampler.hpp>
#include <gradus/examples/char_lm/trainer.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/examples/char_lm_program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixture.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;
using namespace gradus::tests;
namespace char_lm = gradus::examples::char_lm;

namespace {

// Nats a symbol when only the frequency of each symbol is known.
double unigram_entropy(const std::string& text) {
  std::map<char, double> counts;
  for (const char symbol : text) counts[symbol] += 1.0;
  double entropy = 0.0;
  for (const auto& [symbol, count] : counts) {
    const double p = count / static_cast<double>(text.size());
    entropy -= p * std::log(p);
  }
  return entropy;
}

// Learns the repetitive text in about a second.
char_lm::Config small_char_lm(const TemporaryFolder& folder) {
  write_file(folder / "text.txt", repetitive_text());
  char_lm::Config config;
  config.data = folder / "text.txt";
  config.layers = 1;
  config.hidden = 32;
  config.embedding = 8;
  config.batch = 8;
  config.unroll = 16;
  config.steps = 150;
  config.learning_rate = 2e-2;
  config.sample = 0;
  return config;
}

char_lm::Text random_ids(int64_t size, int64_t vocab) {
  Generator generator(11);
  const Tensor drawn = randint({size}, generator, {.low = 0, .high = vocab});
  char_lm::Text out;
  out.ids.assign(drawn.data<int64_t>(), drawn.data<int64_t>() + size);
  out.split = size - size / 10;
  return out;
}

constexpr CellKind kCells[] = {CellKind::rnn, CellKind::gru, CellKind::lstm};

}  // namespace

TEST_CASE("a character model of any cell learns a repetitive text far below its unigram entropy") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const double entropy = unigram_entropy(repetitive_text());
  REQUIRE(entropy > 2.5);
  char_lm::Config config = small_char_lm(folder);
  for (const CellKind cell : kCells) {
    INFO(cell_name(cell));
    config.cell = cell;
    const char_lm::Metrics metrics = char_lm::run(config);
    CHECK(metrics.steps == 150);
    REQUIRE(metrics.validation.has_value());
    CHECK(*metrics.validation < 0.3 * entropy);
  }
}

TEST_CASE("the losses of steps with the carried state are those of one long forward") {
  const gradus::detail::ThreadCountScope threads(1);
  const char_lm::Text text = random_ids(700, 9);
  for (const CellKind cell : kCells) {
    INFO(cell_name(cell));
    Generator generator(3);
    char_lm::CharLm model({.vocab = 9, .cell = cell, .num_layers = 2, .hidden_size = 12, .embedding_size = 5},
                          generator);
    // A rate so small that no weight changes.
    char_lm::Trainer trainer(model, text,
                             {.batch = 3, .unroll = 10, .learning_rate = 1e-30, .warmup = 0, .weight_decay = 0.0},
                             Generator(4));
    constexpr int kSteps = 6;
    double mean = 0.0;
    for (int i = 0; i < kSteps; ++i) mean += trainer.step(0.0) / kSteps;
    const char_lm::Window whole = char_lm::window_of(text, trainer.rows(), 0, 10 * kSteps);
    const Variable logits = model(whole.input, model.initial_state(3)).logits;
    CHECK(std::abs(mean - static_cast<double>(cross_entropy(logits, whole.target).item<float>())) < 1e-5);
    // From a state of zeros at each step the losses would differ.
    double forgetful = 0.0;
    for (int i = 0; i < kSteps; ++i) {
      const char_lm::Window window = char_lm::window_of(text, trainer.rows(), 10 * i, 10);
      const Variable fresh = model(window.input, model.initial_state(3)).logits;
      forgetful += static_cast<double>(cross_entropy(fresh, window.target).item<float>()) / kSteps;
    }
    CHECK(std::abs(mean - forgetful) > 1e-4);
  }
}

TEST_CASE("the state of a step, detached, has the same numbers and passes no gradient on") {
  const gradus::detail::ThreadCountScope threads(1);
  const char_lm::Text text = random_ids(200, 9);
  const char_lm::Rows rows{.begin = 0, .count = 2, .length = 60};
  for (const CellKind cell : kCells) {
    INFO(cell_name(cell));
    Generator generator(3);
    char_lm::CharLm model({.vocab = 9, .cell = cell, .hidden_size = 6, .embedding_size = 5}, generator);
    const RecurrentState state = model(char_lm::window_of(text, rows, 0, 20).input, model.initial_state(2)).state;
    REQUIRE(state.h.requires_grad());
    const RecurrentState cut = detach_state(state);
    CHECK(bitwise_equal(cut.h.value(), state.h.value()));
    CHECK_FALSE(cut.h.requires_grad());
    CHECK(cut.c.defined() == (cell == CellKind::lstm));
    if (cell == CellKind::lstm) {
      CHECK(bitwise_equal(cut.c.value(), state.c.value()));
      CHECK_FALSE(cut.c.requires_grad());
    }
  }
}

TEST_CASE("the validation loss is that of one long forward over the last tenth, and changes nothing") {
  const gradus::detail::ThreadCountScope threads(1);
  const char_lm::Text text = random_ids(900, 9);
  Generator generator(3);
  char_lm::CharLm model({.vocab = 9, .num_layers = 2, .hidden_size = 12, .embedding_size = 5, .dropout = 0.5},
                        generator);
  const double loss = char_lm::validation_loss(model, text, {.batch = 1, .unroll = 20});
  CHECK(model.training());
  model.eval_();
  const NoGrad no_grad;
  // 20 symbols before the first one that is foretold, whose losses do not count.
  const char_lm::Rows row{.begin = text.split - 1, .count = 1, .length = 90};
  const char_lm::Window window = char_lm::window_of(text, row, -20, 110);
  const Variable logits = model(window.input, model.initial_state(1)).logits;
  const Tensor counted = logits.value().slice(1, 20, 110).contiguous();
  const Variable expected = cross_entropy(counted, window.target.slice(1, 20, 110).contiguous());
  CHECK(std::abs(loss - static_cast<double>(expected.item<float>())) < 1e-5);
  // Rows side by side give nearly the same: each begins with 20 symbols of context.
  const double in_rows = char_lm::validation_loss(model, text, {.batch = 4, .unroll = 20});
  CHECK(std::abs(loss - in_rows) < 0.02);
}

TEST_CASE("a saved character model writes the same text, scores as it did and can be trained further") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  char_lm::Config config = small_char_lm(folder);
  config.out = folder / "out";
  config.sample = 120;
  config.temperature = 1.5;
  const char_lm::Metrics trained = char_lm::run(config);
  CHECK(trained.sample.size() == 120);

  char_lm::Config again;
  again.load = folder / "out/model.safetensors";
  again.data = config.data;
  again.sample = 120;
  again.temperature = 1.5;
  const char_lm::Metrics loaded = char_lm::run(again);
  CHECK(loaded.sample == trained.sample);
  CHECK(loaded.steps == 0);
  REQUIRE(loaded.validation.has_value());
  CHECK(*loaded.validation == Approx(*trained.validation).margin(0.02));  // other rows

  again.seed = 2;
  CHECK(char_lm::run(again).sample != trained.sample);
  again.data = "";
  CHECK_FALSE(char_lm::run(again).validation.has_value());

  char_lm::Config further = config;
  further.load = again.load;
  further.steps = 1;
  CHECK(char_lm::run(further).loss < 0.5);
}

TEST_CASE("at a low temperature the model writes the text that it learned, from a prompt on") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  char_lm::Config config = small_char_lm(folder);
  config.sample = 34;
  config.temperature = 0.05;
  config.prompt = "the cat";
  CHECK(char_lm::run(config).sample == " sat on the mat; a dog ran by.\nthe");
}

TEST_CASE("the frequency of drawn symbols follows the model's distribution at any temperature") {
  const gradus::detail::ThreadCountScope threads(1);
  Generator generator(3);
  const examples::Symbols symbols(U"abc");
  char_lm::CharLm model({.vocab = 3, .hidden_size = 4, .embedding_size = 2}, generator);
  for (const NamedParameter& named : model.parameters()) named.parameter->assign_(zeros(named.parameter->shape()));
  const double logits[] = {0.0, 1.0, 2.0};
  model.parameters().back().parameter->assign_(Tensor::from({logits[0], logits[1], logits[2]}, {3}));
  for (const double temperature : {0.5, 1.0, 3.0}) {
    constexpr int64_t kDraws = 4'000;
    const std::u32string drawn = sample(model, symbols, U"a", {.count = kDraws, .temperature = temperature}, generator);
    double sum = 0.0;
    for (const double logit : logits) sum += std::exp(logit / temperature);
    for (size_t i = 0; i < 3; ++i) {
      const double p = std::exp(logits[i] / temperature) / sum;
      const auto count =
          static_cast<double>(std::count(drawn.begin(), drawn.end(), symbols.symbol(static_cast<int64_t>(i))));
      INFO("temperature " << temperature << ", symbol " << i);
      CHECK(std::abs(count / kDraws - p) < 5.0 * std::sqrt(p * (1.0 - p) / kDraws));
    }
  }
}

TEST_CASE("the same seed gives the same character model at any number of threads, another seed another one") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  char_lm::Config config = small_char_lm(folder);
  config.steps = 12;
  config.layers = 2;
  config.hidden = 64;
  config.out = folder / "out";
  const auto weights = [&](uint64_t seed, int thread_count) {
    config.seed = seed;
    config.threads = thread_count;
    char_lm::run(config);
    return read_file(folder / "out/model.safetensors");
  };
  const std::string first = weights(1, 1);
  CHECK(weights(1, 1) == first);
  CHECK(weights(1, 2) == first);
  CHECK(weights(2, 1) != first);
}

TEST_CASE("a training for a number of seconds ends in time, and its progress says so") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  write_file(folder / "text.txt", repetitive_text());
  const ProgramResult result = run_char_lm(
      {"--data", folder / "text.txt", "--seconds", "0.3", "--hidden", "8", "--batch", "4", "--unroll", "8"});
  INFO(result.err << result.out);
  REQUIRE(result.status == 0);
  for (const char* part : {"step 1  loss ", "characters/s", "0 s left", "validation loss ", "trained for 0 s"}) {
    CHECK_THAT(result.out, contains_text(part));
  }
  char_lm::Config config = small_char_lm(folder);
  config.steps = 1'000'000;
  config.seconds = 0.2;
  const char_lm::Metrics metrics = char_lm::run(config);
  CHECK(metrics.train_seconds >= 0.2);
  CHECK(metrics.steps < 1'000'000);
}

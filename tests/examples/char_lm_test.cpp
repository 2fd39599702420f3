// SPDX-License-Identifier: MIT
// The character language model: what it learns, carries on, saves and writes.
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/examples/char_lm/sampler.hpp>
#include <gradus/examples/char_lm/training.hpp>
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

// A text of nine letters, and what reads it.
struct RandomText {
  RandomText(int64_t size, int64_t batch, int64_t unroll) {
    Generator generator(11);
    const Tensor drawn = randint({size}, generator, {.low = 0, .high = 9});
    std::string text;
    for (int64_t i = 0; i < size; ++i) text += static_cast<char>('a' + drawn.data<int64_t>()[i]);
    write_file(folder / "text.txt", text);
    config.data = folder / "text.txt";
    config.batch = batch;
    config.unroll = unroll;
  }
  Vocabulary symbols() const { return Vocabulary::of_file(config.data, {.marks = false}); }

  const TemporaryFolder folder;
  char_lm::Config config;
};

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

TEST_CASE("the losses of windows with the carried state are those of one long forward") {
  const gradus::detail::ThreadCountScope threads(1);
  RandomText text(700, 3, 10);
  TextRows rows = char_lm::training_rows(text.config, text.symbols());
  constexpr int kSteps = 6;
  text.config.unroll = 10 * kSteps;
  const TextWindow whole = char_lm::training_rows(text.config, text.symbols()).next();
  std::vector<TextWindow> windows;
  for (int i = 0; i < kSteps; ++i) windows.push_back(rows.next());
  for (const CellKind cell : kCells) {
    INFO(cell_name(cell));
    Generator generator(3);
    char_lm::CharLm model({.vocab = 9, .cell = cell, .num_layers = 2, .hidden_size = 12, .embedding_size = 5},
                          generator);
    double mean = 0.0, forgetful = 0.0;
    CarriedState carried;
    for (const TextWindow& window : windows) {
      const Variable loss = char_lm::loss_of(model, window, carried);
      mean += static_cast<double>(loss.item<float>()) / kSteps;
      backward(loss);  // only through this window: the others' graphs are gone
      CHECK_FALSE(carried.state().h.requires_grad());
      CarriedState fresh;
      forgetful += static_cast<double>(char_lm::loss_of(model, window, fresh).item<float>()) / kSteps;
    }
    CHECK(std::abs(mean - static_cast<double>(char_lm::loss_of(model, whole, carried).item<float>())) < 1e-5);
    // From a state of zeros at each window the losses would differ.
    CHECK(std::abs(mean - forgetful) > 1e-4);
  }
}

TEST_CASE("the validation loss is that of one long forward over the last tenth, and changes nothing") {
  const gradus::detail::ThreadCountScope threads(1);
  RandomText text(900, 8, 20);
  Generator generator(3);
  char_lm::CharLm model({.vocab = 9, .num_layers = 2, .hidden_size = 12, .embedding_size = 5, .dropout = 0.5},
                        generator);
  TextRows rows = char_lm::validation_rows(text.config, text.symbols());
  const char_lm::Validation validation = char_lm::validate(model, rows);
  CHECK(model.training());
  // 90 symbols are one row with four windows, of which the first is context.
  CHECK(validation.symbols == 60);
  model.eval_();
  const NoGrad no_grad;
  TextRows whole(text.config.data, text.symbols(), {.rows = 1, .steps = 80, .begin = 0.9});
  const TextWindow window = whole.next();
  const Variable logits = model(window.input, RecurrentState()).logits;
  const Tensor counted = logits.value().slice(1, 20, 80).contiguous();
  const Variable expected = cross_entropy(counted, window.target.slice(1, 20, 80).contiguous());
  CHECK(std::abs(validation.loss - static_cast<double>(expected.item<float>())) < 1e-5);
  // A single window has no context.
  text.config.unroll = 80;
  TextRows single = char_lm::validation_rows(text.config, text.symbols());
  const char_lm::Validation all = char_lm::validate(model, single);
  CHECK(all.symbols == 80);
  CHECK(std::abs(all.loss - static_cast<double>(cross_entropy(logits, window.target).item<float>())) < 1e-5);
}

TEST_CASE("a training of a character model that was cut goes on from its checkpoint to the same weights") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  char_lm::Config config = small_char_lm(folder);
  config.dropout = 0.2;
  config.steps = 20;
  config.out = folder / "out";
  char_lm::run(config);
  const std::string whole = read_file(folder / "out/model.safetensors");
  config.checkpoints = folder / "checkpoints";
  char_lm::run(config);
  CHECK(read_file(folder / "out/model.safetensors") == whole);
  std::filesystem::create_directories(folder / "cut");
  // As if it had been killed after the best evaluation, which is not the last one.
  const auto trained_steps = [&](const std::string& checkpoints) {
    config.checkpoints = checkpoints;
    return char_lm::run(config).steps;
  };
  CHECK(trained_steps(folder / "checkpoints") == 20);  // nothing is left to do
  CHECK(read_file(folder / "out/model.safetensors") == whole);
  SafetensorsFile best = load_safetensors(folder / "checkpoints/best.safetensors");
  save_safetensors(folder / "cut/step_1.safetensors", best.tensors, best.metadata);
  CHECK(trained_steps(folder / "cut") == 20);
  CHECK(read_file(folder / "out/model.safetensors") == whole);
  const std::string before = read_file(folder / "cut/metrics.jsonl");
  const auto refusal = [&](const char* text) {
    CHECK_THROWS_WITH(char_lm::run(config),
                      "--checkpoints " + config.checkpoints + ": the checkpoint has other settings: " + text);
  };
  config.hidden = 16;
  config.learning_rate = 0.25;
  refusal("--hidden: expected 32, got 16; --learning-rate: expected 0.02, got 0.25");
  config.hidden = 32;
  config.learning_rate = 2e-2;
  config.seconds = 30.0;
  refusal("--seconds: expected no limit, got 30");
  config.seconds.reset();
  config.dropout = 0.1;
  config.seed = 2;
  refusal("--dropout: expected 0.2, got 0.1; --seed: expected 1, got 2");
  config.dropout = 0.2;
  config.seed = 1;
  std::string text = read_file(config.data);
  std::swap(text.front(), text[1]);
  REQUIRE(text != read_file(config.data));
  write_file(config.data, text);
  CHECK_THROWS_WITH(char_lm::run(config), contains_text("the checkpoint has other settings: --data: expected ") &&
                                              contains_text(" bytes with the CRC-32 "));
  CHECK(read_file(folder / "cut/metrics.jsonl") == before);
}

TEST_CASE("the seconds of a character model's training are those of all its runs") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  char_lm::Config config = small_char_lm(folder);
  config.steps.reset();
  config.seconds = 0.2;
  config.checkpoints = folder / "checkpoints";
  const char_lm::Metrics trained = char_lm::run(config);
  CHECK(trained.steps > 0);
  CHECK(trained.train_seconds >= 0.2);
  const char_lm::Metrics again = char_lm::run(config);
  CHECK(again.steps == trained.steps);  // no second was left
  CHECK(again.train_seconds == 0.0);
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
  const Vocabulary symbols({"abc"}, {.marks = false});
  char_lm::CharLm model({.vocab = 3, .hidden_size = 4, .embedding_size = 2}, generator);
  for (const NamedParameter& named : model.parameters()) named.parameter->assign_(zeros(named.parameter->shape()));
  const double logits[] = {0.0, 1.0, 2.0};
  model.parameters().back().parameter->assign_(Tensor::from({logits[0], logits[1], logits[2]}, {3}));
  for (const double temperature : {0.5, 1.0, 3.0}) {
    constexpr int64_t kDraws = 4'000;
    const std::string drawn =
        char_lm::sample(model, symbols, {0}, {.count = kDraws, .temperature = temperature}, generator);
    double sum = 0.0;
    for (const double logit : logits) sum += std::exp(logit / temperature);
    for (size_t i = 0; i < 3; ++i) {
      const double p = std::exp(logits[i] / temperature) / sum;
      const auto count = static_cast<double>(std::count(drawn.begin(), drawn.end(), static_cast<char>('a' + i)));
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
  for (const char* part : {"step ", " characters/s  ", " s left", "validation loss ", "trained for 0 s"}) {
    CHECK_THAT(result.out, contains_text(part));
  }
  char_lm::Config config = small_char_lm(folder);
  config.steps = 1'000'000;
  config.seconds = 0.2;
  const char_lm::Metrics metrics = char_lm::run(config);
  CHECK(metrics.train_seconds >= 0.2);
  CHECK(metrics.steps < 1'000'000);
}

// SPDX-License-Identifier: MIT
// The classifier of texts: its lines, what it learns, shows, saves and refuses.
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/examples/classify/classify.hpp>
#include <gradus/examples/classify/data.hpp>
#include <gradus/examples/classify/training.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/held_out.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/examples/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;
using namespace gradus::tests;
namespace classify = gradus::examples::classify;

namespace {

ProgramResult run_classify(const std::vector<std::string>& arguments, const examples::RunOptions& options = {}) {
  return result_of("classify", classify::program, arguments, options);
}

// The label is the only capital letter.
std::string capital_lines(int count) {
  Generator generator(9);
  const Tensor drawn = randint({count, 9}, generator, {.low = 0, .high = 26});
  std::string out;
  for (int row = 0; row < count; ++row) {
    const int64_t* number = drawn.data<int64_t>() + 9 * row;
    std::string text;
    for (int i = 0; i < 7; ++i) text += static_cast<char>('a' + number[i]);
    const char label = static_cast<char>('A' + number[7] % 3);
    text.insert(static_cast<size_t>(number[8] % 8), 1, label);
    out += std::string("is ") + label + "\t" + text + "\n";
  }
  return out;
}

// Learns them in about a second.
classify::Config small_classify(const TemporaryFolder& folder) {
  write_file(folder / "lines.tsv", capital_lines(400));
  classify::Config config;
  config.data = folder / "lines.tsv";
  config.hidden = 16;
  config.embedding = 8;
  config.steps = 150;
  config.learning_rate = 2e-2;
  config.show = 0;
  return config;
}

std::vector<std::string> tiny_classify(const std::vector<std::string>& arguments) {
  std::vector<std::string> out = {"--hidden", "4", "--embedding", "3", "--steps", "2", "--batch", "4"};
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

}  // namespace

TEST_CASE("a line of the built-in task has one star, and its label is right") {
  int64_t vowels = 0;
  for (const classify::LabelledLine& line : classify::built_in_lines(1'000, Generator(2))) {
    REQUIRE((line.text.size() >= 20 && line.text.size() <= 60));
    const size_t star = line.text.find(U'*');
    REQUIRE(star + 1 < line.text.size());
    REQUIRE(line.text.find(U'*', star + 1) == std::u32string::npos);
    const bool vowel = std::u32string(U"aeiou").find(line.text[star + 1]) != std::u32string::npos;
    REQUIRE(line.label == (vowel ? "vowel" : "consonant"));
    vowels += vowel ? 1 : 0;
  }
  CHECK(std::abs(static_cast<double>(vowels) - 500.0) < 80.0);  // five standard deviations
}

TEST_CASE("a classifier of any cell, pooling and number of directions learns which capital letter a line has") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  classify::Config config = small_classify(folder);
  const struct {
    CellKind cell;
    classify::Pooling pooling;
    int64_t directions;
  } cases[] = {{CellKind::gru, classify::Pooling::attention, 2},
               {CellKind::lstm, classify::Pooling::last, 1},
               {CellKind::rnn, classify::Pooling::last, 2},
               {CellKind::gru, classify::Pooling::attention, 1}};
  for (const auto& c : cases) {
    CAPTURE(cell_name(c.cell), classify::pooling_name(c.pooling), c.directions);
    config.cell = c.cell;
    config.pooling = c.pooling;
    config.directions = c.directions;
    const classify::Metrics metrics = classify::run(config);
    CHECK(metrics.steps == 150);
    REQUIRE(metrics.accuracy.has_value());
    CHECK(metrics.scored > 20);
    CHECK(metrics.baseline < 0.6);
    CHECK(*metrics.accuracy > 0.95);
  }
}

TEST_CASE("the weights of a text sum to 1, are 0 after its end, and padding changes nothing") {
  const gradus::detail::ThreadCountScope threads(1);
  Generator generator(3);
  classify::Classifier model({.vocab = 6, .classes = 3, .num_layers = 2, .hidden_size = 5, .embedding_size = 4},
                             generator);
  CHECK(model.parameter_count() == classify::parameter_count(model.options()));
  const classify::Examples texts{.texts = {{1, 2, 3, 4, 5, 0, 1}, {4, 2, 2}}, .labels = {2, 0}};
  const int64_t both[] = {0, 1};
  const classify::TextBatch batch = classify::batch_of(texts, both);
  REQUIRE(batch.texts.symbols.shape() == Shape({2, 7}));
  CHECK(batch.labels.at({0}) == 2.0);
  const classify::ClassifierOutput together = model(batch.texts.symbols, batch.texts.lengths);
  const Tensor sums = sum(together.weights, 1).value();
  for (int64_t row = 0; row < 2; ++row) CHECK(sums.at({row}) == Approx(1.0));
  for (int64_t step = 3; step < 7; ++step) CHECK(together.weights.value().at({1, step}) == 0.0);
  const classify::TextBatch alone = classify::batch_of(texts, {both + 1, 1});
  const classify::ClassifierOutput single = model(alone.texts.symbols, alone.texts.lengths);
  CHECK(largest_error(together.logits.value().slice(0, 1, 2), single.logits.value()) < 1e-6);
}

TEST_CASE("a trained classifier answers a text, draws where it looked, and is the same after saving") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  classify::Config config = small_classify(folder);
  config.out = folder / "out";
  const classify::Metrics trained = classify::run(config);
  const std::string model = folder / "out/model.safetensors";

  classify::Config again;
  again.load = model;
  again.data = config.data;
  again.ask = "xyBzkl";
  again.show = 0;
  const classify::Metrics loaded = classify::run(again);
  CHECK(loaded.accuracy == trained.accuracy);
  CHECK(loaded.steps == 0);
  CHECK(loaded.answer == "is B");

  const ProgramResult tested = run_classify({"--load", model, "--test", config.data, "--show", "1", "--ask",
                                             "aaaaaaaaaaAaaaaaaaaaaaaaaaaaaaaaaaa"
                                             "aaaaaaaaaaaa"});
  INFO(tested.err << tested.out);
  REQUIRE(tested.status == 0);
  for (const char* part : {" of 400 lines of ", "; the most frequent label is right for ", "  is A (",
                           "rows: answer, columns: text", "     a a a a a a a a a a A a a "}) {
    CHECK_THAT(tested.out, contains_text(part));
  }
  // The largest weight has the darkest cell.
  const ProgramResult asked = run_classify({"--load", model, "--ask", "klmnoCpqrst"});
  INFO(asked.err << asked.out);
  CHECK_THAT(asked.out, contains_text("\nklmnoCpqrst\n  is C ("));
  const size_t row = asked.out.find("k l m n o C p q r s t ");
  REQUIRE(row != std::string::npos);
  CHECK(asked.out.find("██", row) < asked.out.find("weight:", row));

  classify::Config further = config;
  further.load = model;
  further.steps = 1;
  CHECK(classify::run(further).loss < 0.3);
}

TEST_CASE("symbols that a classifier does not know are left out, and a tab in a text is a symbol") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  std::string text = "\xEF\xBB\xBF";
  for (int i = 0; i < 40; ++i) text += "кот\tмяу" + std::to_string(i) + "\tx\r\n\nпёс\tгав" + std::to_string(i) + "\n";
  write_file(folder / "lines.tsv", text);
  const std::vector<classify::LabelledLine> lines = classify::read_labelled_lines(folder / "lines.tsv", 10);
  REQUIRE(lines.size() == 80);
  CHECK(lines[0].label == "кот");
  CHECK(lines[0].text == U"мяу0\tx");
  CHECK(lines[1].number == 3);
  write_file(folder / "test.tsv", "пёс\tгав猫\nкот\t犬\n");
  const ProgramResult result =
      run_classify(tiny_classify({"--data", folder / "lines.tsv", "--test", folder / "test.tsv"}));
  INFO(result.err << result.out);
  REQUIRE(result.status == 0);
  CHECK_THAT(result.out, contains_text("lines.tsv: 80 to train on, 2 of "));
  CHECK_THAT(result.out, contains_text("  (2 symbols that the model does not know were left out)\n"));
}

TEST_CASE("lines that are held out are never trained on, and give no symbol") {
  classify::Lines data{.path = "lines", .lines = classify::built_in_lines(300, Generator(4))};
  size_t held_out = 0;
  for (const classify::LabelledLine& line : data.lines) held_out += examples::is_held_out(line.text) ? 1 : 0;
  REQUIRE(held_out > 5);
  for (classify::LabelledLine& line : data.lines) {
    if (examples::is_held_out(line.text)) continue;
    for (char32_t& symbol : line.text) symbol = symbol == U'q' ? U'p' : symbol;
  }
  // Some of the changed lines may now be held out, too.
  const classify::Known known = classify::known_of(data, true);
  const classify::Split examples = classify::make_examples(data, {}, known);
  CHECK(examples.training.size() + examples.scored.size() == 300);
  CHECK_FALSE(known.symbols.find("q").has_value());
  CHECK(examples.unknown_symbols > 0);
  CHECK(classify::known_of(data, false).symbols.find("q").has_value());
}

TEST_CASE("the same seed gives the same classifier at any number of threads, another seed another one") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  classify::Config config = small_classify(folder);
  config.steps = 6;
  config.hidden = 48;
  config.out = folder / "out";
  const auto weights = [&](uint64_t seed, int thread_count) {
    config.seed = seed;
    config.threads = thread_count;
    classify::run(config);
    return read_file(folder / "out/model.safetensors");
  };
  const std::string first = weights(1, 1);
  CHECK(weights(1, 1) == first);
  CHECK(weights(1, 2) == first);
  CHECK(weights(2, 1) != first);
}

TEST_CASE("classify runs without a file, and reports how it goes") {
  const gradus::detail::ThreadCountScope threads(1);
  const ProgramResult pipe = run_classify(tiny_classify({}));
  INFO(pipe.err << pipe.out);
  REQUIRE(pipe.status == 0);
  for (const char* part : {"is the letter after the star a vowel?\n", "1 layer of gru in 2 directions, hidden 4",
                           "pooling attention, 2 labels, 27 symbols: ", "step 1 of 2  loss ", "step 2 of 2  loss ",
                           "  accuracy 0.", " lines/s  ", " held-out lines; the most frequent label is right for "}) {
    CHECK_THAT(pipe.out, contains_text(part));
  }
  const ProgramResult terminal = run_classify(tiny_classify({"--pooling", "last"}), {.terminal = true});
  CHECK_THAT(terminal.out, contains_text("\rstep 2 of 2"));
  CHECK(terminal.out.find("rows: answer") == std::string::npos);
}

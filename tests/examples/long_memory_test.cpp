// SPDX-License-Identifier: MIT
// The adding and the copying task: what they ask, that cells learn them, the table, the plot and the refusals.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/long_memory/learner.hpp>
#include <gradus/examples/long_memory/long_memory.hpp>
#include <gradus/examples/long_memory/plot.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/examples/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;
using namespace gradus::tests;
namespace long_memory = gradus::examples::long_memory;
using long_memory::TaskKind;

namespace {

ProgramResult run_long_memory(const std::vector<std::string>& arguments, const examples::RunOptions& options = {}) {
  return result_of("long_memory", long_memory::program, arguments, options);
}

// Requires status 2, one line on the error stream that contains `text`, and no output.
void check_long_memory_refuses(const std::vector<std::string>& arguments, const std::string& text) {
  const ProgramResult result = run_long_memory(arguments);
  CAPTURE(arguments, result.err, result.out);
  CHECK(result.status == 2);
  CHECK(result.err.rfind("long_memory: ", 0) == 0);
  CHECK_THAT(result.err, contains_text(text));
  CHECK(count_lines(result.err) == 1);
  CHECK(result.out.empty());
}

// A table in a moment.
const std::vector<std::string> kTinyTable = {"--cells", "gru,rnn", "--lengths", "2,6",     "--hidden",
                                             "4",       "--steps", "3",         "--batch", "4"};

std::vector<std::string> tiny_table(const std::vector<std::string>& more) {
  std::vector<std::string> out = kTinyTable;
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

}  // namespace

TEST_CASE("the adding task marks one number in each half, and asks for the sum of the two") {
  Generator generator(5);
  for (const int64_t length : {2, 7, 30}) {
    CAPTURE(length);
    const long_memory::LongBatch batch = draw_batch(TaskKind::adding, length, 64, generator);
    REQUIRE(batch.input.shape() == Shape({64, length, 2}));
    REQUIRE(batch.target.shape() == Shape({64, 1}));
    const float* at = batch.input.data<float>();
    for (int64_t row = 0; row < 64; ++row) {
      double sum = 0.0;
      int64_t in_first_half = 0, in_second_half = 0;
      for (int64_t step = 0; step < length; ++step, at += 2) {
        REQUIRE((at[0] >= 0.0f && at[0] < 1.0f));
        REQUIRE((at[1] == 0.0f || at[1] == 1.0f));
        if (at[1] == 0.0f) continue;
        ++(step < length / 2 ? in_first_half : in_second_half);
        sum += static_cast<double>(at[0]);
      }
      REQUIRE(in_first_half == 1);
      REQUIRE(in_second_half == 1);
      REQUIRE(std::abs(sum - static_cast<double>(batch.target.data<float>()[row])) < 1e-6);
    }
  }
  CHECK_THROWS_WITH(draw_batch(TaskKind::adding, 1, 2, generator),
                    "[draw_batch] expected a length of at least 2, got 1");
}

TEST_CASE("the copying task gives ten symbols, a delimiter after T steps, and asks for the symbols after it") {
  Generator generator(5);
  constexpr int64_t kLength = 6;
  const long_memory::LongBatch batch = draw_batch(TaskKind::copying, kLength, 32, generator);
  REQUIRE(batch.input.shape() == Shape({32, kLength + 20}));
  REQUIRE(batch.target.shape() == batch.input.shape());
  std::vector<int64_t> seen(8);
  for (int64_t row = 0; row < 32; ++row) {
    const int64_t* input = batch.input.data<int64_t>() + row * 26;
    const int64_t* target = batch.target.data<int64_t>() + row * 26;
    for (int64_t step = 0; step < 26; ++step) {
      if (step < 10) {
        REQUIRE((input[step] >= 0 && input[step] < 8));
        ++seen[static_cast<size_t>(input[step])];
      } else {
        REQUIRE(input[step] == (step == 10 + kLength - 1 ? 9 : 8));
      }
      REQUIRE(target[step] == (step < kLength + 10 ? 8 : input[step - kLength - 10]));
    }
  }
  CHECK(std::count(seen.begin(), seen.end(), 0) == 0);
}

TEST_CASE("the best answers without memory have the baselines' losses and accuracies") {
  Generator generator(5);
  const long_memory::LongBatch sums = draw_batch(TaskKind::adding, 20, 20'000, generator);
  const Tensor always_one = ones({20'000, 1});
  // Five standard deviations of a mean of 20,000: of squares 0.0066, of a share of 0.078 0.0095.
  const double loss = static_cast<double>(task_loss(TaskKind::adding, always_one, sums.target).item<float>());
  CHECK(std::abs(loss - long_memory::baseline_loss(TaskKind::adding, 20)) < 0.0066);
  CHECK(std::abs(task_accuracy(TaskKind::adding, always_one, sums.target) -
                 long_memory::baseline_accuracy(TaskKind::adding)) < 0.0095);

  constexpr int64_t kLength = 5;
  const long_memory::LongBatch copied = draw_batch(TaskKind::copying, kLength, 2'000, generator);
  // Certain of the blanks, then undecided between the symbols.
  Tensor logits = full({2'000, 25, 9}, -1e4);
  float* at = logits.mutable_data_<float>();
  for (int64_t row = 0; row < 2'000 * 25; ++row, at += 9) {
    if (row % 25 < kLength + 10) {
      at[8] = 0.0f;
    } else {
      std::fill_n(at, 8, 0.0f);
    }
  }
  CHECK(static_cast<double>(task_loss(TaskKind::copying, logits, copied.target).item<float>()) ==
        Approx(long_memory::baseline_loss(TaskKind::copying, kLength)).margin(1e-5));
  CHECK(long_memory::baseline_loss(TaskKind::copying, kLength) == Approx(10 * std::log(8.0) / 25));
  // It takes the first symbol for all: five standard deviations of a share of 1/8 of 20,000.
  CHECK(std::abs(task_accuracy(TaskKind::copying, logits, copied.target) -
                 long_memory::baseline_accuracy(TaskKind::copying)) < 0.012);
}

TEST_CASE("each cell learns to add two numbers of a few, and a gated one to recall symbols after a short time") {
  const gradus::detail::ThreadCountScope threads(1);
  long_memory::Config adding;
  adding.lengths = {4};
  adding.hidden = 24;
  adding.steps = 1'000;
  adding.learning_rate = 1e-2;
  const long_memory::Metrics sums = long_memory::run(adding);
  REQUIRE(sums.results.size() == 3);
  for (const long_memory::Result& result : sums.results) {
    CAPTURE(cell_name(result.cell), result.loss, result.accuracy, result.steps);
    CHECK(result.accuracy > 0.85);
    CHECK(result.loss < 0.01 * result.baseline);
  }
  long_memory::Config copying;
  copying.task = TaskKind::copying;
  copying.cells = {CellKind::gru};
  copying.lengths = {2};
  copying.hidden = 48;
  copying.steps = 400;
  const long_memory::Result recalled = long_memory::run(copying).results.at(0);
  CAPTURE(recalled.loss, recalled.accuracy, recalled.steps);
  CHECK(recalled.accuracy > 0.25);  // 0.125 without memory
  CHECK(recalled.loss < 0.9 * recalled.baseline);
}

TEST_CASE("a training ends when its task is solved") {
  const gradus::detail::ThreadCountScope threads(1);
  long_memory::Config config;
  config.cells = {CellKind::gru};
  config.lengths = {2};
  config.hidden = 32;
  config.steps = 5'000;
  const long_memory::Result result = long_memory::run(config).results.at(0);
  CAPTURE(result.steps, result.accuracy);
  CHECK(result.steps < 2'500);
  CHECK(result.accuracy > 0.95);
}

TEST_CASE("the same seed gives the same results at any number of threads, whatever else is in the table") {
  const gradus::detail::ThreadCountScope threads(1);
  for (const TaskKind task : {TaskKind::adding, TaskKind::copying}) {
    CAPTURE(long_memory::task_name(task));
    const auto losses = [task](uint64_t seed, int thread_count, std::vector<int64_t> lengths) {
      long_memory::Config config;
      config.task = task;
      config.cells = {CellKind::rnn, CellKind::lstm};
      config.lengths = std::move(lengths);
      config.hidden = 32;
      config.steps = 4;
      config.seed = seed;
      config.threads = thread_count;
      std::vector<double> out;
      for (const long_memory::Result& result : long_memory::run(config).results) out.push_back(result.loss);
      return out;
    };
    const std::vector<double> first = losses(1, 1, {8});
    CHECK(losses(1, 2, {8}) == first);
    CHECK(losses(1, 1, {4, 8}).at(1) == first.at(0));
    CHECK(losses(1, 1, {4, 8}).at(3) == first.at(1));
    CHECK(losses(2, 1, {8}) != first);
  }
}

TEST_CASE("long_memory prints a table, and draws a line for each cell") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  for (const char* task : {"adding", "copying"}) {
    const ProgramResult result = run_long_memory(tiny_table({"--task", task, "--out", folder / "out"}));
    INFO(result.err << result.out);
    REQUIRE(result.status == 0);
    CHECK(count_lines(result.out) == 10);
    CHECK_THAT(result.out, contains_text("cell  length      loss  baseline  accuracy  steps  seconds\n"));
    for (const char* row : {"\ngru        2  ", "\ngru        6  ", "\nrnn        2  ", "\nrnn        6  "}) {
      CHECK_THAT(result.out, contains_text(row));
    }
    CHECK_THAT(result.out, contains_text(std::string("out/") + task + ".svg"));
    const std::string svg = read_file(folder / "out/" + task + ".svg");
    for (const char* part : {"class=\"line gru\"", "class=\"line rnn\"", ">gru</text>", ">rnn</text>", ">length T<",
                             ">no memory<", ">100 %<", ">2</text>", ">6</text>"}) {
      CHECK_THAT(svg, contains_text(part));
    }
    CHECK(svg.find("line lstm") == std::string::npos);
  }
  const ProgramResult terminal = run_long_memory(kTinyTable, {.terminal = true});
  CHECK_THAT(terminal.out, contains_text("\rrnn        6  "));
}

TEST_CASE("in a plot an accuracy of 1 is at the top, lengths grow to the right, and names do not touch") {
  long_memory::Metrics metrics;
  for (const CellKind cell : {CellKind::rnn, CellKind::gru, CellKind::lstm}) {
    for (const int64_t length : {100, 10}) {
      metrics.results.push_back({.cell = cell, .length = length, .accuracy = length == 10 ? 1.0 : 0.5});
    }
  }
  const std::string svg = accuracy_plot(TaskKind::adding, metrics);
  CHECK_THAT(svg, contains_text("class=\"line lstm\" d=\"M100.0 56.0L508.0 196.0\""));
  for (const char* name :
       {"y=\"201\" font-weight=\"600\">", "y=\"218\" font-weight=\"600\">", "y=\"235\" font-weight=\"600\">"}) {
    CHECK_THAT(svg, contains_text(name));
  }
  metrics.results.resize(1);
  CHECK_THAT(accuracy_plot(TaskKind::copying, metrics), contains_text("class=\"line rnn\" d=\"M304.0 196.0\""));
  CHECK_THROWS_WITH(accuracy_plot(TaskKind::adding, {}), "[accuracy_plot] expected some results, got none");
}

TEST_CASE("long_memory refuses each option that it cannot use, names it, and overwrites nothing") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const struct {
    const char* option;
    const char* value;
    const char* message;
  } cases[] = {
      {"--task", "sorting", "--task: sorting not in {adding,copying}"},
      {"--cells", "gru,cnn", "--cells: cnn not in {rnn,gru,lstm}"},
      {"--lengths", "10,1", "--lengths: expected a number from 2 to 10000, got 1"},
      {"--lengths", "10,many", "--lengths: expected a whole number, got 'many'"},
      {"--hidden", "0", "--hidden: expected a number from 1 to 4096, got 0"},
      {"--steps", "0", "--steps: expected a number from 1 to 1000000000, got 0"},
      {"--batch", "5000", "--batch: expected a number from 1 to 4096, got 5000"},
      {"--learning-rate", "0", "--learning-rate: expected a positive number, got 0"},
      {"--learning-rate", "nan", "--learning-rate: expected a positive number, got nan"},
      {"--seed", "-1", "--seed: expected a number from 0 on, got -1"},
      {"--threads", "0", "--threads: expected a number from 1 to 1024, got 0"},
      {"--out", "", "--out: expected a name, got an empty one"},
  };
  for (const auto& c : cases) check_long_memory_refuses({c.option, c.value}, c.message);
  check_long_memory_refuses({"--unknown"}, "(see long_memory --help)");
  write_file(folder / "file", "text");
  check_long_memory_refuses(tiny_table({"--out", folder / "file"}), "cannot make this folder");
  write_file(folder / "adding.svg", "a picture");
  check_long_memory_refuses(tiny_table({"--out", folder.path(), "--threads", "0"}), "--threads");
  CHECK(read_file(folder / "adding.svg") == "a picture");
  std::filesystem::create_directories(folder / "copying.svg");
  check_long_memory_refuses(tiny_table({"--task", "copying", "--out", folder.path()}),
                            "a folder stands where copying.svg is to be written");
  const long_memory::Config config = long_memory::completed({});
  CHECK_NOTHROW(long_memory::require_memory(config, 1e9));
  CHECK_THROWS_WITH(long_memory::require_memory(config, 1e6),
                    contains_text("of memory, and there are 0.0 GB: expected a smaller --hidden or --batch"));
  const ProgramResult help = run_long_memory({"--help"});
  CHECK(help.status == 0);
  for (const char* part : {"--task TASK  [adding]", "--cells KIND,...", "--lengths N,...", "--hidden N", "--steps N",
                           "--batch N  [32]", "--learning-rate X", "--seed N  [1]", "--threads N  [1]", "--out DIR"}) {
    CHECK_THAT(help.out, contains_text(part));
  }
}

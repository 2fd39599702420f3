// SPDX-License-Identifier: MIT
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/examples/copy_reverse/experiment.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/examples/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using gradus::AttentionKind;
using gradus::CellKind;
using gradus::examples::Config;
using gradus::examples::Metrics;
using gradus::examples::run;
using gradus::examples::Task;
using namespace gradus::tests;

namespace {

/// A config that is learned in about a second.
Config small_config() {
  Config config;
  config.vocab = 5;
  config.max_length = 6;
  config.held_out = 300;
  config.embedding = 12;
  config.hidden = 24;
  config.steps = 500;
  config.learning_rate = 1e-2;
  config.threads = 1;
  return config;
}

std::vector<double> losses_of(const std::string& out) {
  std::vector<double> losses;
  for (size_t at = out.find("  loss "); at != std::string::npos; at = out.find("  loss ", at + 1)) {
    losses.push_back(std::stod(out.substr(at + 7)));
  }
  return losses;
}

}  // namespace

// Measured with seeds 1 to 5: 100 % in all cases with attention. Without it, one vector must hold the whole source, and
// the results are 74 to 84 %.
TEST_CASE("each cell and each kind of attention learns to copy or to reverse what it has never seen") {
  const gradus::detail::ThreadCountScope threads(1);
  struct Case {
    Task task;
    CellKind cell;
    AttentionKind attention;
    double least;
  };
  const Case c = GENERATE(values<Case>({{Task::reverse, CellKind::gru, AttentionKind::additive, 0.99},
                                        {Task::copy, CellKind::gru, AttentionKind::additive, 0.99},
                                        {Task::reverse, CellKind::lstm, AttentionKind::additive, 0.99},
                                        {Task::reverse, CellKind::rnn, AttentionKind::dot, 0.99},
                                        {Task::copy, CellKind::gru, AttentionKind::none, 0.60}}));
  Config config = small_config();
  config.task = c.task;
  config.cell = c.cell;
  config.attention = c.attention;
  const Metrics metrics = run(config);
  using gradus::examples::name_of;
  INFO(name_of(c.task) << ", " << name_of(c.cell) << ", " << name_of(c.attention));
  REQUIRE(metrics.held_out.has_value());
  CHECK(metrics.held_out->items == 300);
  CHECK(metrics.held_out->rate() >= c.least);
}

TEST_CASE("training runs the fused kernels, never their references") {
  const gradus::detail::ThreadCountScope threads(1);
  Config config = small_config();
  config.steps = 3;
  const gradus::PathCounts before = gradus::path_counts();
  run(config);
  CHECK(gradus::path_counts().fused > before.fused);
  CHECK(gradus::path_counts().reference == before.reference);
}

TEST_CASE("the same seed gives the same weights at any number of threads, another seed gives others") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const auto weights = [&folder](uint64_t seed, int thread_count) {
    Config config = small_config();
    config.steps = 20;
    config.hidden = 64;
    config.seed = seed;
    config.threads = thread_count;
    config.out = folder / "out";
    run(config);
    return read_file(folder / "out/model.safetensors");
  };
  const std::string first = weights(1, 1);
  CHECK(weights(1, 1) == first);
  CHECK(weights(1, 2) == first);
  CHECK(weights(2, 1) != first);
}

TEST_CASE("a saved model scores as it did, by --load and by --eval, and can be trained further") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  write_file(folder / "words.txt", small_words());
  const std::vector<std::string> sizes = {"--hidden", "16", "--embedding", "8", "--threads", "1"};
  const auto with_sizes = [&sizes](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), sizes.begin(), sizes.end());
    return run_program(arguments);
  };
  const ProgramResult trained = with_sizes({"--data", folder / "words.txt", "--steps", "60", "--out", folder / "out"});
  INFO(trained.err);
  REQUIRE(trained.status == 0);
  const std::string model = folder / "out/model.safetensors";

  Config config;
  config.load = model;
  config.data = folder / "words.txt";
  config.steps = 0;
  const Metrics again = run(config);
  const auto json = nlohmann::json::parse(read_file(folder / "out/metrics.json"));
  REQUIRE(again.held_out.has_value());
  CHECK(again.held_out->rate() == Approx(json.at("exact_match").get<double>()));
  CHECK(again.held_out->items == json.at("held_out").get<int64_t>());

  config.data.clear();
  config.eval = folder / "words.txt";
  const Metrics evaluated = run(config);
  CHECK_FALSE(evaluated.held_out.has_value());
  REQUIRE(evaluated.eval_file.has_value());
  CHECK(evaluated.eval_file->items == count_lines(small_words()));

  write_file(folder / "more.txt", small_words() + "zz\n");
  config.eval = folder / "more.txt";
  const Metrics more = run(config);
  CHECK(more.eval_file->items == evaluated.eval_file->items + 1);  // a line of unknown symbols counts as wrong
  CHECK(more.eval_file->exact == evaluated.eval_file->exact);

  const ProgramResult further = with_sizes({"--load", model, "--data", folder / "words.txt", "--steps", "20"});
  INFO(further.err);
  REQUIRE(further.status == 0);
  const std::vector<double> before = losses_of(trained.out);
  const std::vector<double> after = losses_of(further.out);
  REQUIRE(before.size() > 1);
  REQUIRE(after.size() > 1);
  CHECK(after.front() < 0.8 * before.front());  // it starts with the loaded weights
}

TEST_CASE("words in Hebrew, Russian and Japanese train, save and load") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  std::string words;
  for (const char* a : {"кот", "мир", "שלום", "ספר", "猫", "さくら", "ひと", "ток", "סוס", "нос"}) {
    for (const char* b : {"", "кот", "ша", "גם", "犬", "かな"}) words += std::string(a) + b + "\n";
  }
  write_file(folder / "words.txt", words);
  const ProgramResult result = run_program(small_run({"--data", folder / "words.txt", "--out", folder / "out"}));
  INFO(result.err);
  REQUIRE(result.status == 0);
  const ProgramResult loaded =
      run_program({"--load", folder / "out/model.safetensors", "--eval", folder / "words.txt"});
  INFO(loaded.err);
  CHECK(loaded.status == 0);
  CHECK_THAT(loaded.out, contains_text("of 60 lines of"));
}

TEST_CASE("results hold the figures, the model and the picture") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const ProgramResult result =
      run_program(small_run({"--vocab", "5", "--held-out", "50", "--seed", "7", "--out", folder / "new/out"}));
  INFO(result.err);
  REQUIRE(result.status == 0);
  const auto json = nlohmann::json::parse(read_file(folder / "new/out/metrics.json"));
  CHECK(json.at("exact_match").is_number());
  CHECK(json.at("held_out") == 50);
  CHECK(json.at("train_seconds").get<double>() > 0);
  CHECK(json.at("tokens_per_second").get<double>() > 0);
  CHECK(json.at("steps") == 3);
  CHECK(json.at("seed") == 7);
  CHECK(json.at("task") == "reverse");
  const gradus::SafetensorsFile model = gradus::load_safetensors(folder / "new/out/model.safetensors");
  int64_t numbers = 0;
  for (const gradus::NamedTensor& tensor : model.tensors) numbers += tensor.value.numel();
  CHECK(json.at("parameters") == numbers);
  CHECK_THAT(read_file(folder / "new/out/attention.svg"), contains_text("</svg>"));
  CHECK_THAT(result.out, contains_text("of 50 held-out items"));
  CHECK_THAT(result.out, contains_text("Attention for "));
}

TEST_CASE("the attention has colours when they are asked for, and a PNG when gradus writes PNG") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const auto arguments = small_run({"--vocab", "5", "--held-out", "20", "--out", folder / "a", "--colour"});
  const auto with = [&](const std::string& colour) {
    auto all = arguments;
    all.push_back(colour);
    return run_program(all);
  };
  CHECK_THAT(with("full").out, contains_text("\x1b[48;2;"));
  CHECK_THAT(with("256").out, contains_text("\x1b[48;5;"));
  CHECK_THAT(with("none").out, !contains_text("\x1b"));
  CHECK_THAT(with("red").err, contains_text("--colour: red not in {none,256,full}"));
  CHECK(std::filesystem::exists(folder / "a/attention.png") == gradus::AttentionMap::writes_png());
}

TEST_CASE("without attention there is no picture, and --load without training writes no model") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const auto arguments = small_run({"--attention", "none", "--vocab", "5", "--held-out", "20", "--out", folder / "a"});
  REQUIRE(run_program(arguments).status == 0);
  CHECK_FALSE(std::filesystem::exists(folder / "a/attention.svg"));
  REQUIRE(run_program({"--load", folder / "a/model.safetensors", "--held-out", "20", "--out", folder / "b"}).status ==
          0);
  CHECK(std::filesystem::exists(folder / "b/metrics.json"));
  CHECK_FALSE(std::filesystem::exists(folder / "b/model.safetensors"));
}

TEST_CASE("progress is a line now and then in a pipe, and one line that is written over on a terminal") {
  const gradus::detail::ThreadCountScope threads(1);
  const auto arguments = small_run({"--vocab", "5", "--held-out", "20"});
  const ProgramResult pipe = run_program(arguments);
  CHECK(losses_of(pipe.out).size() == 3);
  CHECK(pipe.out.find('\r') == std::string::npos);
  CHECK(pipe.out.find('\x1b') == std::string::npos);
  for (const char* part : {"step 1 of 3", "step 3 of 3", "exact match", "tokens/s", " s left"}) {
    CHECK_THAT(pipe.out, contains_text(part));
  }
  const ProgramResult terminal = run_program(arguments, {.terminal = true});
  CHECK_THAT(terminal.out, contains_text("\rstep 3 of 3"));
  CHECK(count_lines(terminal.out) == count_lines(pipe.out) - 2);
}

TEST_CASE("help names every option and its default") {
  const ProgramResult result = run_program({"--help"});
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  for (const char* part :
       {"--task",       "--data",      "--vocab N  [20]", "--min-length",     "--max-length", "--held-out",
        "--cell",       "--attention", "--embedding",     "--hidden N  [64]", "--model",      "--score",
        "--normaliser", "--window",    "--window-width",  "--input-feeding",  "--layers",     "--heads",
        "--steps",      "--batch",     "--learning-rate", "--seed",           "--threads",    "--out",
        "--load",       "--eval",      "Exit status"}) {
    CHECK_THAT(result.out, contains_text(part));
  }
}

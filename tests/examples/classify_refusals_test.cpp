// SPDX-License-Identifier: MIT
// What classify refuses, in one line.
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <gradus/examples/classify/classify.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/examples/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus::tests;
namespace classify = gradus::examples::classify;

namespace {

std::vector<std::string> short_classify(const std::vector<std::string>& arguments) {
  std::vector<std::string> out = {"--hidden", "4", "--embedding", "3", "--steps", "2", "--batch", "4"};
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

ProgramResult classify_result(const std::vector<std::string>& arguments) {
  return result_of("classify", classify::program, arguments);
}

// Requires status 2, one line on the error stream that contains `text`, and no output.
void check_lines_refused(const std::vector<std::string>& arguments, const std::string& text) {
  const ProgramResult result = classify_result(arguments);
  CAPTURE(arguments, result.err, result.out);
  CHECK(result.status == 2);
  CHECK(result.err.rfind("classify: ", 0) == 0);
  CHECK_THAT(result.err, contains_text(text));
  CHECK(count_lines(result.err) == 1);
  CHECK(result.out.empty());
}

std::string good_lines() {
  std::string out;
  for (int i = 0; i < 60; ++i) out += (i % 2 == 0 ? "even\tnumber " : "odd\tnumber ") + std::to_string(i) + "\n";
  return out;
}

}  // namespace

TEST_CASE("classify refuses each option that it cannot use, and names it") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const std::string lines = folder / "lines.tsv";
  write_file(lines, good_lines());
  const struct {
    const char* option;
    const char* value;
    const char* message;
  } cases[] = {
      {"--cell", "cnn", "--cell: cnn not in {rnn,gru,lstm}"},
      {"--pooling", "max", "--pooling: max not in {last,attention}"},
      {"--layers", "0", "--layers: expected a number from 1 to 16, got 0"},
      {"--directions", "3", "--directions: expected a number from 1 to 2, got 3"},
      {"--hidden", "many", "--hidden: expected a whole number, got 'many'"},
      {"--hidden", "5000", "--hidden: expected a number from 1 to 4096, got 5000"},
      {"--embedding", "0", "--embedding: expected a number from 1 to 4096, got 0"},
      {"--dropout", "1", "--dropout: expected a number from 0 to below 1, got 1"},
      {"--steps", "0", "--steps: expected a number from 1 to 1000000000, got 0"},
      {"--batch", "0", "--batch: expected a number from 1 to 4096, got 0"},
      {"--learning-rate", "-1", "--learning-rate: expected a positive number, got -1"},
      {"--weight-decay", "nan", "--weight-decay: expected a number from 0 on, got nan"},
      {"--seed", "-1", "--seed: expected a number from 0 on, got -1"},
      {"--threads", "0", "--threads: expected a number from 1 to 1024, got 0"},
      {"--show", "-1", "--show: expected a number from 0 to 1000, got -1"},
      {"--max-length", "0", "--max-length: expected a number from 1 to 100000, got 0"},
      {"--max-length", "7", "line 1: a text longer than allowed: it has 8 symbols, --max-length is 7"},
      {"--ask", "", "--ask: expected a name or a text, got an empty one"},
      {"--ask", "\xFF", "--ask: this is not valid UTF-8"},
      {"--ask", "XYZ", "--ask: expected some symbols that the model knows"},
      {"--out", "", "--out: expected a name or a text, got an empty one"},
  };
  for (const auto& c : cases) check_lines_refused({"--data", lines, c.option, c.value}, c.message);
  check_lines_refused({"--unknown"}, "(see classify --help)");
  check_lines_refused({"--data", lines, "--out", lines}, "cannot make this folder");
}

TEST_CASE("classify refuses lines that it cannot use, and names the file and the line") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const std::string lines = folder / "lines.tsv";
  check_lines_refused({"--data", folder / "none.tsv"}, "none.tsv: No such file or directory");
  check_lines_refused({"--test", folder / "none.tsv"}, "--data: expected a file of lines to learn from, got none");
  const struct {
    std::string text;
    const char* message;
  } cases[] = {
      {"", "lines.tsv: the file is empty"},
      {"a\tb\nno tab\n", "lines.tsv, line 2: expected a label, a tab and a text, got no tab"},
      {"a\tb\n\tno label\n", "lines.tsv, line 2: expected a label, a tab and a text, got no tab"},
      {"a\tb\nno text\t\n", "lines.tsv, line 2: expected a label, a tab and a text, got no tab"},
      {"a\tb\nb\tc\xFF\n", "lines.tsv, line 2: this is not valid UTF-8"},
      {"a\tb\nb\t\x1b[31m\n", "lines.tsv, line 2: a control character"},
      {"a\tb\na\tc\na\td\n", "lines.tsv: expected lines of at least two labels, got only 'a'"},
      {"a\tb\nb\td\n", "lines.tsv: no line is held out to be scored, one in ten by its own hash"},
      {"a\tc\nb\tl\n", "lines.tsv: every line is held out, one in ten by its own hash"},
  };
  for (const auto& c : cases) {
    write_file(lines, c.text);
    check_lines_refused({"--data", lines}, c.message);
  }
  write_file(lines, good_lines());
  write_file(folder / "test.tsv", "even\tnumber 2\nprime\tnumber 3\n");
  check_lines_refused({"--data", lines, "--test", folder / "test.tsv"},
                      "test.tsv, line 2: the model does not know the label 'prime'");
}

TEST_CASE("classify refuses models that are broken or of another size, and overwrites none") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const std::string lines = folder / "lines.tsv", model = folder / "out/model.safetensors";
  write_file(lines, good_lines());
  const ProgramResult trained = classify_result(short_classify({"--data", lines, "--out", folder / "out"}));
  INFO(trained.err);
  REQUIRE(trained.status == 0);
  const std::string before = read_file(model);
  check_lines_refused(short_classify({"--data", lines, "--out", folder / "out", "--ask", "XYZ"}), "--ask");
  CHECK(read_file(model) == before);
  std::filesystem::create_directories(folder / "other/model.safetensors");
  check_lines_refused(short_classify({"--data", lines, "--out", folder / "other"}),
                      "a folder stands where model.safetensors is to be written");

  check_lines_refused({"--load", model}, "--load: expected --data, --test or --ask beside it, got none of them");
  check_lines_refused({"--load", model, "--steps", "2"}, "--data: expected a file of lines to learn from, got none");
  const struct {
    const char* option;
    const char* value;
    const char* message;
  } cases[] = {{"--hidden", "9", "it has --hidden 4, you asked for --hidden 9"},
               {"--cell", "lstm", "it has --cell gru, you asked for --cell lstm"},
               {"--layers", "2", "it has --layers 1, you asked for --layers 2"},
               {"--directions", "1", "it has --directions 2, you asked for --directions 1"},
               {"--embedding", "2", "it has --embedding 3, you asked for --embedding 2"},
               {"--pooling", "last", "it has --pooling attention, you asked for --pooling last"}};
  for (const auto& c : cases) check_lines_refused({"--load", model, "--ask", "n", c.option, c.value}, c.message);

  const gradus::SafetensorsFile good = gradus::load_safetensors(model);
  const std::string bad = folder / "bad.safetensors";
  const auto with = [&](const std::string& key, const std::string& value) {
    auto metadata = good.metadata;
    for (auto& entry : metadata) {
      if (entry.first == key) entry.second = value;
    }
    gradus::save_safetensors(bad, good.tensors, metadata);
  };
  const struct {
    const char* key;
    const char* value;
  } broken[] = {{"directions", "3"}, {"hidden", "0"},   {"pooling", "max"},     {"labels", "odd\neven"},
                {"labels", "even"},  {"symbols", "ba"}, {"program", "char_lm"}, {"cell", "cnn"}};
  for (const auto& b : broken) {
    with(b.key, b.value);
    check_lines_refused({"--load", bad, "--ask", "n"}, std::string("its metadata has no usable \"") + b.key + "\": '");
  }
  with("labels", "even\nmore\nodd");
  check_lines_refused({"--load", bad, "--ask", "n"}, "its weights do not fit the sizes in its metadata: expected ");
  check_lines_refused({"--load", lines, "--ask", "n"}, "cannot load a model: ");
  std::vector<gradus::NamedTensor> tensors = good.tensors;
  tensors[1].value = gradus::full(tensors[1].value.shape(), NAN);
  gradus::save_safetensors(bad, tensors, good.metadata);
  check_lines_refused({"--load", bad, "--ask", "n"}, "its weight " + tensors[1].name + " holds NaN or infinity");
}

TEST_CASE("classify refuses a model that cannot fit into memory, and says what to make smaller") {
  classify::Config config;
  const classify::ClassifierOptions options = classify::model_options(config, 30, 2);
  CHECK_NOTHROW(classify::require_memory(config, options, 60, 1e9));
  CHECK_THROWS_WITH(classify::require_memory(config, options, 60, 1e5),
                    contains_text("of memory, and there are 0.0 GB: expected a smaller --hidden, --layers"));
}

TEST_CASE("classify's help names every option and its default") {
  const ProgramResult result = classify_result({"--help"});
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  for (const char* part : {"--cell KIND  [gru]",
                           "--layers N  [1]",
                           "--directions N  [2]",
                           "--hidden N  [32]",
                           "--embedding N  [16]",
                           "--pooling KIND  [attention]",
                           "--dropout X  [0.1]",
                           "--steps N  [600]",
                           "--batch N  [32]",
                           "--learning-rate X  [0.004]",
                           "--weight-decay X  [0.01]",
                           "--seed N  [1]",
                           "--threads N  [1]",
                           "--data FILE",
                           "--test FILE",
                           "--max-length N  [400]",
                           "--out DIR",
                           "--load FILE",
                           "--show N  [3]",
                           "--ask TEXT",
                           "Exit status"}) {
    CHECK_THAT(result.out, contains_text(part));
  }
}

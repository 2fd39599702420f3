// SPDX-License-Identifier: MIT
#include <filesystem>
#include <string>
#include <vector>

#include <gradus/tensor/files/safetensors.hpp>
#include "tests/examples/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus::tests;

namespace {

/// Runs the program with arguments that it must refuse. Requires status 2, one line on the error stream that contains
/// `text`, and no training step.
void check_refused(const std::vector<std::string>& arguments, const std::string& text) {
  const ProgramResult result = run_program(small_run(arguments));
  CAPTURE(arguments, result.err, result.out);
  CHECK(result.status == 2);
  CHECK_THAT(result.err, contains_text(text));
  CHECK(result.err.rfind("copy_reverse: ", 0) == 0);
  CHECK(count_lines(result.err) == 1);
  CHECK(result.out.empty());
}

/// The same without the options of a small run, because some arguments conflict with them.
void check_refused_alone(const std::vector<std::string>& arguments, const std::string& text) {
  const ProgramResult result = run_program(arguments);
  CAPTURE(arguments, result.err);
  CHECK(result.status == 2);
  CHECK_THAT(result.err, contains_text(text));
  CHECK(count_lines(result.err) == 1);
  CHECK(result.out.empty());
}

}  // namespace

TEST_CASE("options that make no sense are refused by name") {
  check_refused({"--no-such-option"}, "--no-such-option");
  check_refused({"stray"}, "stray");
  check_refused({"--vocab"}, "--vocab");
  check_refused({"--vocab", "0"}, "--vocab: expected a number from 1 to 20000, got 0");
  check_refused({"--vocab", "-3"}, "--vocab: expected a number from 1 to 20000, got -3");
  check_refused({"--vocab", "many"}, "--vocab");
  check_refused({"--vocab", "3.5"}, "--vocab");
  check_refused({"--task", "sort"}, "--task: sort not in {copy,reverse}");
  check_refused({"--cell", "transformer"}, "--cell: transformer not in {rnn,gru,lstm}");
  check_refused({"--attention", "flash"}, "--attention: flash not in {additive,dot,none}");
  check_refused({"--min-length", "0"}, "--min-length: expected a number from 1");
  check_refused({"--min-length", "9", "--max-length", "8"}, "--min-length 9 is more than --max-length 8");
  check_refused({"--max-length", "100000"}, "--max-length: expected a number from 1 to 1000, got 100000");
  check_refused({"--held-out", "0"}, "--held-out: expected a number from 1");
  check_refused({"--learning-rate", "0"}, "--learning-rate: expected a positive number");
  check_refused({"--learning-rate", "nan"}, "--learning-rate: expected a positive number");
  check_refused({"--seed", "-1"}, "--seed: expected a number from 0 on, got -1");
  check_refused_alone({"--hidden", "0"}, "--hidden: expected a number from 1 to 4096, got 0");
  check_refused_alone({"--embedding", "0"}, "--embedding: expected a number from 1 to 4096, got 0");
  check_refused_alone({"--batch", "0"}, "--batch: expected a number from 1 to 4096, got 0");
  check_refused_alone({"--steps", "0"}, "--steps");
  check_refused_alone({"--steps", "99999999999999999999"}, "--steps");
  check_refused_alone({"--threads", "0"}, "--threads");
  check_refused_alone({"--threads", "-1"}, "--threads");
}

TEST_CASE("files that cannot be learned from are refused with the reason and the line") {
  const TemporaryFolder folder;
  const std::string file = folder / "words.txt";
  check_refused({"--data", file}, "words.txt: No such file or directory");
  check_refused({"--data", folder.path()}, "it is a folder");
  check_refused({"--data", ""}, "--data");
  write_file(file, "");
  check_refused({"--data", file}, "words.txt: the file is empty");
  write_file(file,
             "good\nb\xC3\x28"
             "d\n");
  check_refused({"--data", file}, "words.txt, line 2: this is not valid UTF-8");
  write_file(file, "short\nfar too long\n");
  check_refused({"--data", file, "--max-length", "8"}, "line 2: a word longer than allowed: it has 12 symbols");
  write_file(file, "lonely\n");
  check_refused({"--data", file}, "words.txt: no item is held out");
  write_file(file, small_words());
  check_refused({"--data", file, "--vocab", "5"}, "--vocab: this is for random sequences");
  check_refused({"--data", file, "--min-length", "2"}, "--min-length: this is for random sequences");
  check_refused({"--data", file, "--held-out", "2"}, "--held-out: this is for random sequences");
  check_refused({"--vocab", "1", "--max-length", "1"}, "random sequences: no item is held out");
}

TEST_CASE("files that a model cannot be scored on are refused before training") {
  const TemporaryFolder folder;
  check_refused({"--eval", folder / "absent.txt"}, "absent.txt: No such file");
  write_file(folder / "other.txt", "кот\nток\n");
  check_refused({"--vocab", "5", "--eval", folder / "other.txt"}, "no line is made of the 5 symbols");
  write_file(folder / "long.txt", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
  check_refused({"--eval", folder / "long.txt"}, "long.txt, line 1: a word longer than allowed");
}

TEST_CASE("a folder that cannot be written into is refused before training, and nothing in it is touched") {
  const TemporaryFolder folder;
  write_file(folder / "file", "kept");
  check_refused({"--out", folder / "file"}, "--out");
  check_refused({"--out", (folder / "file") + "/below"}, "--out");
  check_refused({"--out", "/proc/no-such-folder"}, "--out");
  check_refused({"--out", ""}, "--out");
  CHECK(read_file(folder / "file") == "kept");

  std::filesystem::create_directories(folder / "out/metrics.json");
  check_refused({"--out", folder / "out"}, "a folder stands where metrics.json is to be written");
  std::filesystem::remove(folder / "out/metrics.json");

  write_file(folder / "out/metrics.json", "old figures");
  check_refused({"--out", folder / "out", "--vocab", "0"}, "--vocab");
  check_refused({"--out", folder / "out", "--data", folder / "absent.txt"}, "absent.txt");
  CHECK(read_file(folder / "out/metrics.json") == "old figures");
  CHECK(std::distance(std::filesystem::directory_iterator(folder / "out"), {}) == 1);
}

TEST_CASE("a model of another size, or no model at all, is refused before training") {
  const TemporaryFolder folder;
  const std::string out = folder / "out";
  const ProgramResult made = run_program(small_run({"--vocab", "5", "--max-length", "4", "--out", out}));
  INFO(made.err);
  REQUIRE(made.status == 0);
  const std::string model = out + "/model.safetensors";
  const std::string before = read_file(model);

  check_refused_alone({"--load", model, "--hidden", "9"}, "it has --hidden 8, you asked for --hidden 9");
  check_refused_alone({"--load", model, "--embedding", "7"}, "it has --embedding 6, you asked for --embedding 7");
  check_refused_alone({"--load", model, "--cell", "lstm"}, "it has --cell gru, you asked for --cell lstm");
  check_refused_alone({"--load", model, "--attention", "dot"}, "it has --attention additive, you asked for");
  check_refused_alone({"--load", model, "--vocab", "6"}, "it has --vocab 5, you asked for --vocab 6");
  check_refused_alone({"--load", model, "--steps", "0"}, "--steps");
  check_refused_alone({"--load", folder / "absent"}, "No such file");
  write_file(folder / "words.txt", "abc\nabz\n");
  check_refused_alone({"--load", model, "--data", folder / "words.txt"}, "line 2: the loaded model does not know");
  check_refused_alone({"--load", folder / "words.txt"}, "words.txt");
  write_file(folder / "cut.safetensors", before.substr(0, before.size() - 4));
  check_refused_alone({"--load", folder / "cut.safetensors", "--out", out}, "cut.safetensors");
  CHECK(read_file(model) == before);
}

TEST_CASE("a file whose metadata and weights disagree is refused") {
  const TemporaryFolder folder;
  REQUIRE(run_program(small_run({"--vocab", "5", "--max-length", "4", "--out", folder / "out"})).status == 0);
  const gradus::SafetensorsFile good = gradus::load_safetensors(folder / "out/model.safetensors");
  const auto refused_with = [&](const std::string& key, const std::string& value, const std::string& text) {
    gradus::SafetensorsFile bad = good;
    for (auto& entry : bad.metadata) {
      if (entry.first == key) entry.second = value;
    }
    gradus::save_safetensors(folder / "bad.safetensors", bad.tensors, bad.metadata);
    check_refused_alone({"--load", folder / "bad.safetensors"}, text);
  };
  refused_with("hidden", "16", "its weights do not fit the sizes in its metadata");
  refused_with("symbols", "abcdef", "its weights do not fit the sizes in its metadata");
  refused_with("symbols", "edcba", "no usable \"symbols\"");
  refused_with("hidden", "8x", "no usable \"hidden\"");
  refused_with("hidden", "-8", "no usable \"hidden\"");
  refused_with("cell", "tree", "no usable \"cell\"");
  gradus::save_safetensors(folder / "bare.safetensors", good.tensors);
  check_refused_alone({"--load", folder / "bare.safetensors"}, "no model of copy_reverse: its metadata has no");
}

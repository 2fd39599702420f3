// SPDX-License-Identifier: MIT
// What transduce refuses, in one line.
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/transduce/transduce.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/examples/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus::tests;
namespace transduce = gradus::examples::transduce;

namespace {

ProgramResult transduce_result(const std::vector<std::string>& arguments) {
  return result_of("transduce", transduce::program, arguments);
}

std::vector<std::string> short_transduce(const std::vector<std::string>& arguments) {
  std::vector<std::string> out = {"--hidden", "4", "--embedding", "3", "--epochs", "1", "--batch", "2"};
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

// Requires status 2, one line on the error stream that contains `text`, and no output.
void check_pairs_refused(const std::vector<std::string>& arguments, const std::string& text) {
  const ProgramResult result = transduce_result(arguments);
  CAPTURE(arguments, result.err, result.out);
  CHECK(result.status == 2);
  CHECK(result.err.rfind("transduce: ", 0) == 0);
  CHECK_THAT(result.err, contains_text(text));
  CHECK(count_lines(result.err) == 1);
  CHECK(result.out.empty());
}

// The same for what is found when the plan is printed already.
void check_other_refused(const std::vector<std::string>& arguments, const std::string& text) {
  const ProgramResult result = transduce_result(arguments);
  CAPTURE(arguments, result.err);
  CHECK(result.status == 2);
  CHECK_THAT(result.err, contains_text(text));
  CHECK(count_lines(result.err) == 1);
}

}  // namespace

TEST_CASE("transduce refuses each option that it cannot use, and names it") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const std::string pairs = folder / "pairs.tsv";
  write_file(pairs, "ab\tba\n");
  const struct {
    const char* option;
    const char* value;
    const char* message;
  } cases[] = {
      {"--format", "csv", "--format: csv not in {pairs,g2p,conll2017,sigmorphon2016,scan}"},
      {"--model", "cnn", "--model: cnn not in {seq2seq,rnn-search,luong,transformer}"},
      {"--cell", "cnn", "--cell: cnn not in {rnn,gru,lstm}"},
      {"--layers", "0", "--layers: expected a number from 1 to 16, got 0"},
      {"--heads", "0", "--heads: expected a number from 1 to 4096, got 0"},
      {"--hidden", "many", "--hidden: expected a whole number, got 'many'"},
      {"--hidden", "5000", "--hidden: expected a number from 1 to 4096, got 5000"},
      {"--embedding", "0", "--embedding: expected a number from 1 to 4096, got 0"},
      {"--dropout", "1", "--dropout: expected a number from 0 to below 1, got 1"},
      {"--epochs", "0", "--epochs: expected a number from 1 to 1000000, got 0"},
      {"--batch", "0", "--batch: expected a number from 1 to 4096, got 0"},
      {"--learning-rate", "0", "--learning-rate: expected a positive number, got 0"},
      {"--weight-decay", "nan", "--weight-decay: expected a number from 0 on, got nan"},
      {"--label-smoothing", "1", "--label-smoothing: expected a number from 0 to below 1, got 1"},
      {"--evaluations", "0", "--evaluations: expected a number from 1 to 1000000, got 0"},
      {"--beams", "65", "--beams: expected a number from 1 to 64, got 65"},
      {"--seed", "-1", "--seed: expected a number from 0 on, got -1"},
      {"--threads", "0", "--threads: expected a number from 1 to 1024, got 0"},
      {"--max-length", "0", "--max-length: expected a number from 1 to 100000, got 0"},
      {"--max-length", "1", "line 1: the source is longer than allowed: it has 2 bytes, --max-length is 1"},
      {"--ask", "", "--ask: expected a name or a text, got an empty one"},
      {"--ask", "\xFF", "--ask: this is not valid UTF-8"},
      {"--ask", " ", "--ask: the source is empty"},
      {"--ask", "ab\tN", "--ask: expected a source without tab, got 'ab<U+0009>N'"},
      {"--out", "", "--out: expected a name or a text, got an empty one"},
      {"--load", "m", "--load: expected no --train beside it; a training that was interrupted goes on with --resume"},
  };
  for (const auto& c : cases) check_pairs_refused({"--train", pairs, c.option, c.value}, c.message);
  check_pairs_refused({}, "--train: expected a file of pairs to learn from, or a model to --load, got neither");
  check_pairs_refused({"--unknown"}, "(see transduce --help)");
  check_pairs_refused({"--train", pairs, "--model", "transformer", "--hidden", "10"},
                      "--heads: expected a number that divides --hidden 10, got 4");
  check_pairs_refused({"--train", pairs, "--test", pairs, "--predict", pairs},
                      "--predict: expected no --test beside it");
  check_pairs_refused({"--train", pairs, "--resume"},
                      "--resume: expected --train and --out, the folder of the training");
  check_pairs_refused({"--load", "m"}, "--load: expected --test, --predict or --ask beside it, got none of them");
  check_pairs_refused({"--load", "m", "--ask", "a", "--dev", pairs}, "--dev: expected --train beside it, got none");
}

TEST_CASE("transduce refuses pairs that it cannot use, and names the file and the line") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const std::string pairs = folder / "pairs.tsv";
  check_pairs_refused({"--train", folder / "none.tsv"}, "none.tsv: cannot open the file: No such file or directory");
  const struct {
    const char* format;
    const char* text;
    const char* message;
  } cases[] = {
      {"pairs", "", "pairs.tsv has no line that is not empty"},
      {"pairs", "a\tb\nab\n", "pairs.tsv, line 2: expected at least 2 columns with a tab between them, got 1"},
      {"g2p", "a\tb\n\tb\n", "pairs.tsv, line 2: the source is empty"},
      {"pairs", "a\t \n", "pairs.tsv, line 1: the target is empty"},
      {"conll2017", "a\tb\t\n", "pairs.tsv, line 1: the list of tags is empty"},
      {"pairs", "a\tb\xFF\n", "pairs.tsv, line 1: this is not valid UTF-8"},
      {"conll2017", "a\tb\n", "pairs.tsv, line 1: expected at least 3 columns with a tab between them, got 2"},
      {"sigmorphon2016", "a\tN\n", "pairs.tsv, line 1: expected at least 3 columns with a tab between them, got 2"},
      {"g2p", "a\tb\n\n\tb\n", "pairs.tsv, line 3: the source is empty"},
      {"scan", "IN: a OUT: B\n\na\tb\n", "pairs.tsv, line 3: expected 'IN: words OUT: words', got 'a<U+0009>b'"},
  };
  for (const auto& c : cases) {
    write_new_file(pairs, c.text);
    check_pairs_refused({"--train", pairs, "--format", c.format}, c.message);
  }
  write_new_file(pairs, "a\tb\n");
  check_pairs_refused({"--train", pairs, "--test", folder / "none.tsv"},
                      "none.tsv: cannot open the file: No such file or directory");
  check_pairs_refused({"--train", pairs, "--out", pairs}, "cannot make this folder");
}

TEST_CASE("transduce replaces no file, and resumes only the training that it is told to") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const std::string pairs = folder / "pairs.tsv", out = folder / "out";
  write_file(pairs, "ab\tba\ncd\tdc\n");
  REQUIRE(transduce_result(short_transduce({"--train", pairs, "--out", out})).status == 0);
  const std::string before = read_file(out + "/model.safetensors");
  check_pairs_refused(short_transduce({"--train", pairs, "--resume", "--out", folder / "new"}),
                      "new has no checkpoint");
  const ProgramResult other = transduce_result({"--hidden", "5", "--train", pairs, "--resume", "--out", out});
  CHECK(other.status == 2);
  CHECK_THAT(other.err, contains_text("--resume: the training in " + out +
                                      " cannot go on like this: the checkpoint has other settings: --hidden: expected "
                                      "4, got 5; --embedding: expected 3, got 96; --epochs: expected 1, got 60; "
                                      "--batch: expected 2, got 32\n"));
  const std::vector<std::vector<std::string>> changed = {
      {"--learning-rate", "0.001", "--learning-rate: expected 0.002, got 0.001\n"},
      {"--dropout", "0.5", "--dropout: expected 0.4, got 0.5\n"},
      {"--label-smoothing", "0.1", "--label-smoothing: expected 0, got 0.1\n"},
      {"--weight-decay", "0", "--weight-decay: expected 0.01, got 0\n"},
      {"--evaluations", "7", "--evaluations: expected 40, got 7\n"},
      {"--heads", "2", "--heads: expected 4, got 2\n"},
      {"--seed", "9", "--seed: expected 1, got 9\n"},
      {"--dev", pairs, "--dev: expected 0 pairs with the fingerprint "},
  };
  for (const std::vector<std::string>& option : changed) {
    check_other_refused(short_transduce({"--train", pairs, "--resume", "--out", out, option[0], option[1]}),
                        "the checkpoint has other settings: " + option[2]);
  }
  const std::string log = read_file(out + "/metrics.jsonl");
  write_new_file(pairs, "ab\tba\ndc\tcd\n");
  CHECK_THAT(transduce_result(short_transduce({"--train", pairs, "--resume", "--out", out})).err,
             contains_text("the checkpoint has other settings: --train: expected 2 pairs with the fingerprint "));
  CHECK(read_file(out + "/metrics.jsonl") == log);
  write_new_file(pairs, "ab\tba\ncd\tdc\n");
  gradus::save_safetensors(out + "/best.safetensors", {{"model.other", gradus::zeros({1})}});
  CHECK_THAT(transduce_result(short_transduce({"--train", pairs, "--resume", "--out", out})).err,
             contains_text("out/best.safetensors does not fit: [load_state_dict] the dictionary does not fit "));

  check_pairs_refused(short_transduce({"--train", pairs, "--out", out}),
                      "it has model.safetensors already: expected another folder, or --resume");
  std::filesystem::rename(out + "/model.safetensors", folder / "model");
  std::filesystem::remove(out + "/metrics.jsonl");
  std::filesystem::remove(out + "/best.safetensors");
  check_pairs_refused(short_transduce({"--train", pairs, "--out", out}), "it has checkpoints already");
  CHECK(read_file(folder / "model") == before);

  write_file(folder / "answers.tsv", "mine");
  check_pairs_refused({"--load", folder / "model", "--test", pairs, "--out", folder.path()},
                      "it has answers.tsv already: expected another folder\n");
  CHECK(read_file(folder / "answers.tsv") == "mine");
  check_pairs_refused({"--load", folder / "model", "--ask", "a", "--out", out},
                      "--out: expected --train, --test or --predict beside it, got none of them");
}

TEST_CASE("transduce refuses models that are broken, of another program or of another size") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const std::string pairs = folder / "pairs.tsv", model = folder / "out/model.safetensors";
  write_file(pairs, "ab\tba\tN;SG\ncd\tdc\tN;PL\n");
  const ProgramResult trained =
      transduce_result(short_transduce({"--format", "conll2017", "--train", pairs, "--out", folder / "out"}));
  INFO(trained.err);
  REQUIRE(trained.status == 0);
  const struct {
    const char* option;
    const char* value;
    const char* message;
  } cases[] = {{"--hidden", "9", "it has --hidden 4, you asked for --hidden 9"},
               {"--cell", "lstm", "it has --cell gru, you asked for --cell lstm"},
               {"--model", "luong", "it has --model seq2seq, you asked for --model luong"},
               {"--layers", "3", "it has --layers 2, you asked for --layers 3"},
               {"--heads", "3", "it has --heads 4, you asked for --heads 3"},
               {"--embedding", "2", "it has --embedding 3, you asked for --embedding 2"},
               {"--format", "g2p", "it has --format conll2017, you asked for --format g2p"}};
  for (const auto& c : cases) check_pairs_refused({"--load", model, "--ask", "n\tN", c.option, c.value}, c.message);
  check_pairs_refused({"--load", model, "--ask", "n"}, "--ask: expected a source, a tab and its tags, got 'n'");

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
  } broken[] = {{"hidden", "0"}, {"model", "cnn"}, {"source", "abc"},      {"target", "bytes\n"}, {"format", "csv"},
                {"tags", ""},    {"longest", "0"}, {"program", "char_lm"}, {"cell", "cnn"}};
  for (const auto& b : broken) {
    with(b.key, b.value);
    check_pairs_refused({"--load", bad, "--ask", "n\tN"},
                        std::string("its metadata has no usable \"") + b.key + "\": '");
  }
  with("hidden", "6");
  check_pairs_refused({"--load", bad, "--ask", "n\tN"}, "its weights do not fit the sizes in its metadata: expected ");
  check_pairs_refused({"--load", pairs, "--ask", "n\tN"}, "cannot load a model: ");
  std::vector<gradus::NamedTensor> tensors = good.tensors;
  tensors[1].value = gradus::full(tensors[1].value.shape(), NAN);
  gradus::save_safetensors(bad, tensors, good.metadata);
  check_pairs_refused({"--load", bad, "--ask", "n\tN"}, "its weight " + tensors[1].name + " holds NaN or infinity");
}

TEST_CASE("transduce refuses a model that cannot fit into memory, and says what to make smaller") {
  const transduce::Config config;
  const transduce::ModelOptions options{
      .source_vocab = 30, .target_vocab = 30, .hidden_size = 100, .embedding_size = 50};
  CHECK_NOTHROW(transduce::require_memory(config, options, 1e9));
  CHECK_THROWS_WITH(transduce::require_memory(config, options, 1e5),
                    contains_text("of memory, and there are 0.0 GB: expected a smaller --hidden, --layers"));
}

TEST_CASE("transduce's help names every option and its default") {
  const ProgramResult result = transduce_result({"--help"});
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  const transduce::Config standard;
  for (const std::string& part : std::vector<std::string>{"--train FILE",
                                                          "--dev FILE",
                                                          "--test FILE",
                                                          "--predict FILE",
                                                          "--ask TEXT",
                                                          "--format NAME  [pairs]",
                                                          "--max-length N  [2000]",
                                                          "--out DIR",
                                                          "--resume",
                                                          "--load FILE",
                                                          "--model KIND  [seq2seq]",
                                                          "--cell KIND  [gru]",
                                                          "--layers N  [2]",
                                                          "--heads N  [4]",
                                                          "--hidden N  [192]",
                                                          "--embedding N  [96]",
                                                          "--dropout X  [0.4]",
                                                          "--epochs N  [" + std::to_string(standard.epochs) + "]",
                                                          "--batch N  [" + std::to_string(standard.batch) + "]",
                                                          "--learning-rate X  [0.002]",
                                                          "--weight-decay X  [0.01]",
                                                          "--label-smoothing X  [0]",
                                                          "--evaluations N  [40]",
                                                          "--seed N  [1]",
                                                          "--threads N  [1]",
                                                          "--beams N  [4]",
                                                          "Exit status"}) {
    CHECK_THAT(result.out, contains_text(part));
  }
}

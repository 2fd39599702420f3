// SPDX-License-Identifier: MIT
// What char_lm refuses, in one line, and what it prints.
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <gradus/examples/char_lm/config.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/examples/char_lm_program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus::tests;
namespace char_lm = gradus::examples::char_lm;

namespace {

// Requires status 2, one line on the error stream that contains `text`, and no output.
void check_char_lm_refuses(const std::vector<std::string>& arguments, const std::string& text) {
  const ProgramResult result = run_char_lm(arguments);
  CAPTURE(arguments, result.err, result.out);
  CHECK(result.status == 2);
  CHECK(result.err.rfind("char_lm: ", 0) == 0);
  CHECK_THAT(result.err, contains_text(text));
  CHECK(count_lines(result.err) == 1);
  CHECK(result.out.empty());
}

// A folder with a text and a model that was trained on it.
struct WithModel {
  WithModel() {
    write_file(text, repetitive_text());
    const ProgramResult result = run_char_lm(tiny_char_lm({"--data", text, "--out", folder / "out"}));
    INFO(result.err);
    REQUIRE(result.status == 0);
  }
  const gradus::detail::ThreadCountScope threads{1};
  const TemporaryFolder folder;
  const std::string text = folder / "text.txt";
  const std::string model = folder / "out/model.safetensors";
};

}  // namespace

TEST_CASE("char_lm refuses each option that it cannot use, and names it") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const std::string text = folder / "text.txt";
  write_file(text, repetitive_text() + repetitive_text());
  const struct {
    const char* option;
    const char* value;
    const char* message;
  } cases[] = {
      {"--layers", "0", "--layers: expected a number from 1 to 16, got 0"},
      {"--hidden", "5000", "--hidden: expected a number from 1 to 4096, got 5000"},
      {"--hidden", "many", "--hidden: expected a whole number, got 'many'"},
      {"--embedding", "0", "--embedding: expected a number from 1 to 4096, got 0"},
      {"--dropout", "1", "--dropout: expected a number from 0 to below 1, got 1"},
      {"--dropout", "-0.1", "--dropout: expected a number from 0 to below 1, got -0.1"},
      {"--steps", "0", "--steps: expected a number from 1 to 1000000000, got 0"},
      {"--seconds", "0", "--seconds: expected a positive number, got 0"},
      {"--seconds", "inf", "--seconds: expected a positive number, got inf"},
      {"--batch", "0", "--batch: expected a number from 1 to 4096, got 0"},
      {"--unroll", "-3", "--unroll: expected a number from 1 to 4096, got -3"},
      {"--learning-rate", "0", "--learning-rate: expected a positive number, got 0"},
      {"--learning-rate", "nan", "--learning-rate: expected a positive number, got nan"},
      {"--warmup", "-1", "--warmup: expected a number from 0 to 1000000000, got -1"},
      {"--weight-decay", "-1", "--weight-decay: expected a number from 0 on, got -1"},
      {"--clip", "0", "--clip: expected a positive number, got 0"},
      {"--threads", "0", "--threads: expected a number from 1 to 1024, got 0"},
      {"--seed", "-1", "--seed: expected a number from 0 on, got -1"},
      {"--sample", "-1", "--sample: expected a number from 0 to 1000000, got -1"},
      {"--temperature", "0", "--temperature: expected a positive number, got 0"},
      {"--cell", "lstmm", "--cell: lstmm not in {rnn,gru,lstm}"},
      {"--prompt", "", "--prompt: expected a name or a text, got an empty one"},
      {"--prompt", "Q", "--prompt: the model does not know the symbol 'Q'"},
      {"--prompt", "\xFF", "--prompt: this is not valid UTF-8"},
      {"--out", "", "--out: expected a name or a text, got an empty one"},
  };
  for (const auto& c : cases) check_char_lm_refuses({"--data", text, c.option, c.value}, c.message);
  check_char_lm_refuses({}, "--data: expected a text file to learn from, got none");
  check_char_lm_refuses({"--unknown"}, "(see char_lm --help)");
  check_char_lm_refuses({"--data", text, "--out", text}, "--out " + text + ": cannot make this folder");
  check_char_lm_refuses({"--data", text, "--checkpoints", text}, "--checkpoints " + text + ": cannot make this folder");
}

TEST_CASE("char_lm refuses texts that are missing, empty, too short or no UTF-8") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  const std::string text = folder / "text.txt";
  check_char_lm_refuses({"--data", folder / "none.txt"}, "none.txt: cannot open the file: No such file or directory");
  check_char_lm_refuses({"--data", folder.path()}, "this is no regular file");
  write_file(text, "");
  check_char_lm_refuses({"--data", text}, "text.txt: the file is empty; expected text");
  write_file(text, "ab\nc\xFF");
  check_char_lm_refuses({"--data", text}, "text.txt: expected UTF-8, got another byte at position 4");
  write_file(text, "too short");
  check_char_lm_refuses({"--data", text},
                        "--batch 32 rows of --unroll 64 symbols: " + text +
                            ": the part from 0 to 0.9 has 8 bytes, which is too short for 32 rows of 65 symbols");
  // The smallest text that is enough.
  write_file(text, std::string(2'312, 'a'));
  const ProgramResult enough = run_char_lm({"--data", text, "--steps", "1", "--hidden", "4"});
  INFO(enough.err);
  CHECK(enough.status == 0);
  write_file(text, std::string(2'311, 'a'));
  check_char_lm_refuses({"--data", text, "--steps", "1", "--hidden", "4"},
                        "which is too short for 32 rows of 65 symbols");
}

TEST_CASE("char_lm refuses models that are broken, of another size, or do not know a symbol") {
  const WithModel given;
  const std::string& model = given.model;
  check_char_lm_refuses({"--load", model, "--hidden", "9"},
                        "holds a model of another size or kind: it has --hidden 8, you asked for --hidden 9");
  check_char_lm_refuses({"--load", model, "--cell", "gru"}, "it has --cell lstm, you asked for --cell gru");
  check_char_lm_refuses({"--load", model, "--layers", "2"}, "it has --layers 1, you asked for --layers 2");
  check_char_lm_refuses({"--load", model, "--embedding", "2"}, "it has --embedding 4, you asked for --embedding 2");
  check_char_lm_refuses({"--load", model, "--steps", "2"}, "--data: expected a text file to learn from, got none");
  write_file(given.folder / "other.txt", repetitive_text() + "Zoo\n" + repetitive_text());
  check_char_lm_refuses({"--load", model, "--data", given.folder / "other.txt"},
                        "other.txt: the model does not know the symbol 'Z'");

  const gradus::SafetensorsFile good = gradus::load_safetensors(model);
  const std::string bad = given.folder / "bad.safetensors";
  const auto with = [&](const std::string& key, const std::string& value) {
    auto metadata = good.metadata;
    for (auto& entry : metadata) {
      if (entry.first == key) entry.second = value;
    }
    gradus::save_safetensors(bad, good.tensors, metadata);
  };
  with("hidden", "4096");
  check_char_lm_refuses({"--load", bad}, "its weights do not fit the sizes in its metadata: expected ");
  with("hidden", "-8");
  check_char_lm_refuses({"--load", bad}, "its metadata has no usable \"hidden\": '-8'");
  with("cell", "cnn");
  check_char_lm_refuses({"--load", bad}, "its metadata has no usable \"cell\": 'cnn'");
  with("symbols", "ba");
  check_char_lm_refuses({"--load", bad}, "its metadata has no usable \"symbols\": 'ba'");
  with("program", "copy_reverse");
  check_char_lm_refuses({"--load", bad}, "its metadata has no usable \"program\": 'copy_reverse'");
  gradus::save_safetensors(bad, good.tensors, {});
  check_char_lm_refuses({"--load", bad}, "no model of char_lm: its metadata has no \"program\"");
  std::vector<gradus::NamedTensor> tensors = good.tensors;
  tensors[1].value = gradus::full(tensors[1].value.shape(), NAN);
  gradus::save_safetensors(bad, tensors, good.metadata);
  check_char_lm_refuses({"--load", bad}, "its weight " + tensors[1].name + " holds NaN or infinity");
  tensors = good.tensors;
  tensors[0].name = "other";
  gradus::save_safetensors(bad, tensors, good.metadata);
  check_char_lm_refuses({"--load", bad}, "missing: embedding.weight");
  check_char_lm_refuses({"--load", given.text}, "cannot load a model: ");
}

TEST_CASE("a refused run of char_lm overwrites no model") {
  const WithModel given;
  const std::string before = read_file(given.model);
  check_char_lm_refuses(tiny_char_lm({"--data", given.text, "--out", given.folder / "out", "--prompt", "Q"}),
                        "--prompt");
  CHECK(read_file(given.model) == before);
  std::filesystem::create_directories(given.folder / "other/model.safetensors");
  check_char_lm_refuses(tiny_char_lm({"--data", given.text, "--out", given.folder / "other"}),
                        "a folder stands where model.safetensors is to be written");
}

TEST_CASE("char_lm refuses a model that cannot fit into memory, and says what to make smaller") {
  const TemporaryFolder folder;
  char_lm::Config config;
  config.data = "a.txt";
  const char_lm::CharLmOptions options = char_lm::model_options(config, 65);
  CHECK_NOTHROW(char_lm::require_memory(config, options, 1e9));
  CHECK_THROWS_WITH(char_lm::require_memory(config, options, 1e6),
                    contains_text("of memory, and there are 0.0 GB: expected a smaller --hidden, --layers"));
}

TEST_CASE("char_lm in a pipe prints a line now and then, on a terminal one that is written over") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  write_file(folder / "text.txt", repetitive_text());
  const auto arguments = tiny_char_lm({"--data", folder / "text.txt", "--sample", "0"});
  const ProgramResult pipe = run_char_lm(arguments);
  INFO(pipe.err << pipe.out);
  for (const char* part : {"1 layer of lstm, hidden 8, embedding 4, ", "step 1 of 3  loss ", "step 3 of 3  loss ",
                           "  validation ", " characters/s  ", " s left", "validation loss "}) {
    CHECK_THAT(pipe.out, contains_text(part));
  }
  CHECK(pipe.out.find('\r') == std::string::npos);
  const ProgramResult terminal = run_char_lm(arguments, {.terminal = true});
  CHECK_THAT(terminal.out, contains_text("\rstep 3 of 3"));
  CHECK(count_lines(terminal.out) == count_lines(pipe.out) - 2);
}

TEST_CASE("symbols of any script are learned, and those that a terminal obeys are shown by number") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  std::string text = "\xEF\xBB\xBF";
  for (int i = 0; i < 40; ++i) text += "кот\x1b שלום\r\n猫\n";
  write_file(folder / "text.txt", text);
  const ProgramResult result = run_char_lm(tiny_char_lm(
      {"--data", folder / "text.txt", "--out", folder / "out", "--sample", "400", "--temperature", "100"}));
  INFO(result.err << result.out);
  REQUIRE(result.status == 0);
  CHECK_THAT(result.out, contains_text("13 symbols: "));
  CHECK_THAT(result.out, contains_text("<U+001B>"));
  // A carriage return of a file from Windows is a symbol, too.
  CHECK_THAT(result.out, contains_text("<U+000D>\n"));
  CHECK(result.out.find('\x1b') == std::string::npos);
  const ProgramResult loaded =
      run_char_lm({"--load", folder / "out/model.safetensors", "--prompt", "שלום", "--sample", "5"});
  INFO(loaded.err);
  CHECK(loaded.status == 0);
  CHECK_THAT(loaded.out, contains_text("\nשלום"));
}

TEST_CASE("char_lm's help names every option and its default") {
  const ProgramResult result = run_char_lm({"--help"});
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  for (const char* part : {"--data FILE",
                           "--cell KIND  [lstm]",
                           "--layers N  [2]",
                           "--hidden N  [256]",
                           "--embedding N  [64]",
                           "--dropout X  [0.1]",
                           "--steps N  [2000]",
                           "--seconds X",
                           "--batch N  [32]",
                           "--unroll N  [64]",
                           "--learning-rate X  [0.004]",
                           "--warmup N  [5]",
                           "--weight-decay X  [0.1]",
                           "--clip X  [5]",
                           "--seed N  [1]",
                           "--threads N  [1]",
                           "--sample N  [400]",
                           "--temperature X  [0.8]",
                           "--prompt TEXT",
                           "--out DIR",
                           "--checkpoints DIR",
                           "--load FILE",
                           "Exit status"}) {
    CHECK_THAT(result.out, contains_text(part));
  }
}

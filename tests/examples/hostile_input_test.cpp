// SPDX-License-Identifier: MIT
// Files and options that would cost too much, contain something other than numbers, or would control the terminal.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <gradus/examples/common/text.hpp>
#include <gradus/examples/copy_reverse/data/data_set.hpp>
#include <gradus/examples/copy_reverse/memory_need.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/memory/allocator.hpp>
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

TEST_CASE("a model file is compared with its metadata before a model of that size is built") {
  const TemporaryFolder folder;
  const std::vector<gradus::NamedTensor> one = {{"w", gradus::ones({1})}};
  std::vector<std::pair<std::string, std::string>> metadata = {{"task", "copy"},          {"cell", "lstm"},
                                                               {"attention", "additive"}, {"embedding", "4096"},
                                                               {"hidden", "4096"},        {"symbols", "abc"}};
  gradus::save_safetensors(folder / "small.safetensors", one, metadata);
  gradus::reset_peak_memory();
  const int64_t before = gradus::memory_stats().peak_bytes;
  check_refused_alone(
      {"--load", folder / "small.safetensors"},
      "small.safetensors: its weights do not fit the sizes in its metadata: expected 620,990,469 numbers, got 1");
  CHECK(gradus::memory_stats().peak_bytes - before < 1'000'000);
}

TEST_CASE("a model with weights that are no numbers is refused by the weight's name") {
  const TemporaryFolder folder;
  REQUIRE(run_program(small_run({"--vocab", "5", "--max-length", "4", "--out", folder / "out"})).status == 0);
  const gradus::SafetensorsFile good = gradus::load_safetensors(folder / "out/model.safetensors");
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    for (size_t i = 0; i < good.tensors.size(); ++i) {
      std::vector<gradus::NamedTensor> bad = good.tensors;
      bad[i].value = bad[i].value.clone();
      gradus::Tensor last = bad[i].value.slice(0, bad[i].value.size(0) - 1, bad[i].value.size(0));
      last.fill_(value);
      gradus::save_safetensors(folder / "bad.safetensors", bad, good.metadata);
      check_refused_alone(
          {"--load", folder / "bad.safetensors"},
          "bad.safetensors: a model that cannot be used: its weight " + bad[i].name + " holds NaN or infinity");
    }
  }
}

TEST_CASE("files that are no models, or cut off, say so by name") {
  const TemporaryFolder folder;
  write_file(folder / "notes.txt", "These are no weights.\n");
  check_refused_alone({"--load", folder / "notes.txt"}, "notes.txt: this is no safetensors file");
  write_file(folder / "short", "{}\n");
  check_refused_alone({"--load", folder / "short"}, "short: this is no safetensors file, or it is cut off");
  write_file(folder / "empty", "");
  check_refused_alone({"--load", folder / "empty"}, "empty: the file is empty");
  REQUIRE(run_program(small_run({"--vocab", "5", "--max-length", "4", "--out", folder / "out"})).status == 0);
  const std::string whole = read_file(folder / "out/model.safetensors");
  for (const size_t size : {size_t{8}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_file(folder / "cut", whole.substr(0, size));
    check_refused_alone({"--load", folder / "cut"}, "cut off");
  }
}

TEST_CASE("what cannot fit into memory is refused before anything is built") {
  check_refused_alone({"--vocab", "20000", "--hidden", "4096", "--embedding", "4096", "--batch", "4096", "--min-length",
                       "1000", "--max-length", "1000"},
                      "this takes at least 1476.2 GB of memory, and there are ");
  check_refused_alone({"--batch", "4096", "--vocab", "20000", "--max-length", "1000"},
                      "expected a smaller --hidden, --embedding, --vocab, --batch, --max-length or --held-out");
}

TEST_CASE("a text with more symbols than a model can have is refused with their number") {
  const TemporaryFolder folder;
  const auto text_of = [](char32_t count) {
    std::u32string text;
    for (char32_t i = 0; i < count; ++i) {
      text += 0x20000 + i;
      if (i % 4 == 3) text += U'\n';
    }
    return gradus::examples::to_utf8(text);
  };
  write_file(folder / "many.txt", text_of(294'000));
  check_refused({"--data", folder / "many.txt"}, "many.txt: it has 294,000 different symbols; expected at most 20,000");
  write_file(folder / "most.txt", text_of(20'000));
  const std::string most = folder / "most.txt";
  using namespace gradus::examples;
  CHECK(data_set_from_lines(most, read_lines(most, 20), nullptr).vocabulary.symbol_count() == 20'000);
}

TEST_CASE("text from outside reaches the terminal without what the terminal would obey") {
  const TemporaryFolder folder;
  const std::string escape = "\x1b[31m";
  const std::string turned = "\u202Eabc";
  const auto is_safe = [](const std::string& text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F; }) &&
           text.find("\u202E") == std::string::npos;
  };
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--task", escape},
                                             {escape},
                                             {"--" + turned},
                                             {"--data", "no-" + turned + escape},
                                             {"--load", turned + "\n"},
                                             {"--vocab", turned},
                                             {"--out", "/proc/" + escape + turned},
                                             {"--eval", "\xff\xfe" + turned}}) {
    const ProgramResult result = run_program(arguments);
    CAPTURE(result.err);
    CHECK(result.status == 2);
    CHECK(is_safe(result.err));
    CHECK(count_lines(result.err) == 1);
  }
  std::string words;
  for (const char first : std::string("abcdefgh")) {
    for (const char second : std::string("abcdefgh")) words += std::string("\u202E") + first + "\u2067" + second + "\n";
  }
  const std::string file = folder / ("words" + turned + escape + ".txt");
  write_file(file, words);
  const std::string out = folder / ("out" + turned);
  const ProgramResult result = run_program(small_run({"--data", file, "--eval", file, "--out", out}));
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK(is_safe(result.out));
  CHECK_THAT(result.out, contains_text("<U+202E>"));
  CHECK(is_safe(read_file(out + "/attention.svg")));

  // Names and texts from a file.
  gradus::save_safetensors(folder / "names", {{escape + turned, gradus::ones({1})}}, {{"task", escape + turned}});
  const ProgramResult refused = run_program({"--load", folder / "names"});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, contains_text("<U+001B>"));
  CHECK(is_safe(refused.err));
}

TEST_CASE("parameters are counted without building the model") {
  using gradus::AttentionKind;
  using gradus::CellKind;
  for (const CellKind cell : {CellKind::rnn, CellKind::gru, CellKind::lstm}) {
    for (const AttentionKind attention : {AttentionKind::none, AttentionKind::additive, AttentionKind::dot}) {
      const gradus::Seq2SeqOptions options{.source_vocab = 5,
                                           .target_vocab = 7,
                                           .embedding_size = 3,
                                           .hidden_size = 4,
                                           .cell = cell,
                                           .attention = attention};
      gradus::Generator generator(1);
      CHECK(gradus::examples::parameter_count(options) == gradus::Seq2Seq(options, generator).parameter_count());
    }
  }
}

TEST_CASE("numbers that are none, or too large, are refused by option") {
  for (const std::string option : {"--vocab", "--min-length", "--max-length", "--held-out", "--embedding", "--hidden",
                                   "--steps", "--batch", "--seed", "--threads"}) {
    check_refused_alone({option, ""}, option + ": expected a whole number, got ''");
    check_refused_alone({option, "0x10"}, option + ": expected a whole number, got '0x10'");
    check_refused_alone({option, "99999999999999999999999"},
                        option + ": a number that is too large: 99999999999999999999999");
  }
  check_refused_alone({"--data", "/dev/zero"}, "cannot read /dev/zero: it is a device, which may have no end");
  check_refused_alone({"--eval", "/dev/zero"}, "cannot read /dev/zero: it is a device, which may have no end");
}

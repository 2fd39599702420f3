// SPDX-License-Identifier: MIT
// The programs g2p and nakdimon on small models (written by fixtures/small_g2p.py and small_nakdimon.py with the Python
// packages' answers), and what they refuse.
#include <sstream>
#include <string>
#include <vector>

#include <gradus/examples/pretrained/g2p.hpp>
#include <gradus/examples/pretrained/nakdimon.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;

namespace {

using Program = int (*)(int, const char* const*, std::istream&, std::ostream&, std::ostream&);

struct Pretrained {
  const char* name;
  const char* file;
  Program program;
};

constexpr Pretrained kG2p = {"g2p", GRADUS_FIXTURES "/small_g2p.safetensors", examples::pretrained::g2p};
constexpr Pretrained kNakdimon = {"nakdimon", GRADUS_FIXTURES "/small_nakdimon.safetensors",
                                  examples::pretrained::nakdimon};

struct Answer {
  int status = 0;
  std::string out;
  std::string err;
};

Answer run(const Pretrained& of, const std::vector<const char*>& arguments, const std::string& input) {
  std::vector<const char*> argv = {of.name};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const int status = of.program(static_cast<int>(argv.size()), argv.data(), in, out, err);
  return {status, out.str(), err.str()};
}

// The lines that the metadata has under `key`, each with its end.
std::string lines_of(const Pretrained& of, const std::string& key) {
  for (const auto& [name, text] : load_safetensors(of.file).metadata) {
    if (name != key) continue;
    std::string lines = text + "\n";
    for (char& c : lines) c = c == '|' ? '\n' : c;
    return lines;
  }
  FAIL("no " << key);
  return {};
}

// What the program says about its file after a change.
template <class Change>
std::string said_after(const Pretrained& of, const Change& change) {
  const tests::TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  SafetensorsFile file = load_safetensors(of.file);
  change(file);
  save_safetensors(path, file.tensors, file.metadata);
  const Answer answer = run(of, {path.c_str()}, "word\n");
  CHECK(answer.status == 2);
  CHECK(answer.out.empty());
  const std::string start = std::string(of.name) + ": " + path;
  REQUIRE(answer.err.rfind(start, 0) == 0);
  return answer.err.substr(start.size());
}

Tensor& tensor_named(SafetensorsFile& file, const std::string& name) {
  for (NamedTensor& named : file.tensors) {
    if (named.name == name) return named.value;
  }
  FAIL("no " << name);
  return file.tensors[0].value;
}

void rename_tensor(SafetensorsFile& file, const std::string& name) {
  for (NamedTensor& named : file.tensors) {
    if (named.name == name) named.name = "another";
  }
}

std::string& metadata(SafetensorsFile& file, const std::string& key) {
  for (auto& [name, text] : file.metadata) {
    if (name == key) return text;
  }
  FAIL("no " << key);
  return file.metadata[0].second;
}

// All lines at once, one by one, and more than fit in one batch.
void check_answers(const Pretrained& of, const std::string& lines) {
  const std::string answers = lines_of(of, "answers");
  const Answer all = run(of, {of.file}, lines);
  CHECK(all.status == 0);
  CHECK(all.err.empty());
  CHECK(all.out == answers);
  std::istringstream each(lines);
  std::string one_by_one;
  for (std::string line; std::getline(each, line);) one_by_one += run(of, {of.file}, line + "\n").out;
  CHECK(one_by_one == answers);
  std::string many;
  std::string many_answers;
  for (int i = 0; i < 8; ++i) {
    many += lines;
    many_answers += answers;
  }
  CHECK(run(of, {of.file}, many).out == many_answers);
  CHECK(run(of, {of.file}, "").out.empty());
}

}  // namespace

TEST_CASE("g2p pronounces words as the Python package does") { check_answers(kG2p, lines_of(kG2p, "words")); }

TEST_CASE("nakdimon adds vowels as the Python package does") {
  check_answers(kNakdimon, lines_of(kNakdimon, "lines"));
  CHECK(run(kNakdimon, {kNakdimon.file}, "\n\n").out == "\n\n");
}

TEST_CASE("g2p and nakdimon say what is wrong with their arguments and lines") {
  for (const Pretrained& of : {kG2p, kNakdimon}) {
    const std::string name = of.name;
    INFO(name);
    CHECK(run(of, {}, "").err == name + ": expected one argument, the file of the model\n");
    CHECK(run(of, {of.file, "more"}, "").status == 2);
    CHECK(run(of, {"--help"}, "").out.find("Usage: " + name + " MODEL.safetensors") != std::string::npos);
    const Answer missing = run(of, {"/no such file"}, "");
    CHECK(missing.status == 2);
    CHECK(missing.err.rfind(name + ": cannot load a model: ", 0) == 0);
    const Answer bytes = run(of, {of.file}, "\xff\n");
    CHECK(bytes.status == 2);
    CHECK(bytes.err == name + ": the line '\\xFF' is not UTF-8\n");
  }
}

TEST_CASE("g2p refuses a file that is no such model") {
  CHECK(said_after(kG2p, [](SafetensorsFile& file) { file.metadata.clear(); }) == ": its metadata has no letters\n");
  CHECK(said_after(kG2p, [](SafetensorsFile& file) { metadata(file, "phonemes") += " AA0"; }) ==
        ": its phonemes have 'AA0' twice\n");
  CHECK(said_after(kG2p, [](SafetensorsFile& file) {
          metadata(file, "phonemes") = "<s> A B";
        }).find("[load_state_dict] the dictionary does not fit g2p: wrong shape: ") != std::string::npos);
  CHECK(said_after(kG2p, [](SafetensorsFile& file) {
          std::string& letters = metadata(file, "letters");
          letters.replace(letters.find("</s>"), 4, "end");
        }) == ": its symbols lack '</s>'\n");
  CHECK(said_after(kG2p, [](SafetensorsFile& file) { tensor_named(file, "letter_embedding.weight") = zeros({29}); }) ==
        ": the shape of letter_embedding.weight is f32 [29]\n");
  CHECK(said_after(kG2p, [](SafetensorsFile& file) { rename_tensor(file, "encoder.weight_hh_l0"); }) ==
        ": it has no encoder.weight_hh_l0\n");
}

TEST_CASE("nakdimon refuses a file that is no such model") {
  CHECK(said_after(kNakdimon, [](SafetensorsFile& file) { metadata(file, "sin").clear(); }) ==
        ": its metadata has no sin\n");
  CHECK(said_after(kNakdimon, [](SafetensorsFile& file) { metadata(file, "letters") += "x"; }) ==
        ": its letters and their numbers differ in length\n");
  CHECK(said_after(kNakdimon, [](SafetensorsFile& file) { tensor_named(file, "letter numbers") = zeros({848}); }) ==
        ": letter numbers is f32 [848], expected i64\n");
  CHECK(said_after(kNakdimon, [](SafetensorsFile& file) {
          tensor_named(file, "letter numbers") = full({848}, 43.0, {.dtype = DType::i64});
        }) == ": expected letter numbers in [0, 43), got 43\n");
  CHECK(said_after(kNakdimon, [](SafetensorsFile& file) { rename_tensor(file, "N/kernel"); }) ==
        ": it has no N/kernel\n");
  CHECK(said_after(kNakdimon, [](SafetensorsFile& file) { tensor_named(file, "D/kernel") = zeros({3}); }) ==
        ": the shape of D/kernel is f32 [3]\n");
  CHECK(said_after(kNakdimon, [](SafetensorsFile& file) {
          rename_tensor(file, "bidirectional/forward_lstm/lstm_cell/kernel");
        }).find("\"bidirectional/forward_lstm/lstm_cell/kernel\" is missing") != std::string::npos);
}

// SPDX-License-Identifier: MIT
// The corpus of the fuzzers, in the ordinary build: small inputs that reach each branch of the readers, and those that
// once made one fail.
#include <charconv>
#include <fstream>
#include <string>

#include "tests/fuzz/readers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace gradus {
namespace {

// The bytes of a line "DIGITS" or "kept DIGITS".
std::string bytes_of(const std::string& line) {
  std::string out;
  for (size_t at = line.rfind(' ') + 1; at + 2 <= line.size(); at += 2) {
    unsigned byte = 256;
    std::from_chars(line.data() + at, line.data() + at + 2, byte, 16);
    REQUIRE(byte < 256);
    out += static_cast<char>(byte);
  }
  return out;
}

template <class Read>
void check_corpus(const std::string& format, const Read& read, uint64_t most_growth) {
  const tests::TemporaryFolder folder;
  const std::string path = folder / "input";
  std::ifstream corpus(detail::join(GRADUS_CORPUS, "/", format, ".txt"));
  size_t inputs = 0, loaded = 0, bytes = 0;
  for (std::string line; std::getline(corpus, line); ++inputs) {
    INFO(line);
    const std::string input = bytes_of(line);
    tests::write_new_file(path, input);
    tests::ReaderResult result;
    REQUIRE_NOTHROW(result = tests::check_reader(read, path, input.size(), most_growth));
    loaded += result.error.empty() ? 1 : 0;
    bytes += input.size();
  }
  CAPTURE(format, inputs, loaded, bytes);
  CHECK(loaded >= 3);
  CHECK(inputs >= loaded + 10);
  CHECK(bytes <= 20'000);
}

}  // namespace

TEST_CASE("the corpus of the fuzzers: safetensors") {
  check_corpus("safetensors", tests::read_safetensors, tests::kMostGrowth);
}

TEST_CASE("the corpus of the fuzzers: npy") { check_corpus("npy", tests::read_npy_file, tests::kMostGrowth); }

TEST_CASE("the corpus of the fuzzers: npz") { check_corpus("npz", tests::read_npz_file, tests::kMostGrowthDeflated); }

}  // namespace gradus

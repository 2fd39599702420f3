// SPDX-License-Identifier: MIT
#include "tests/fuzz/corpus.hpp"
#include "tests/fuzz/readers.hpp"

using namespace gradus;

TEST_CASE("the corpus of the fuzzers: safetensors") {
  tests::check_corpus(GRADUS_CORPUS, "safetensors", [](const std::string& path, const std::string& bytes) {
    return tests::check_reader(tests::read_safetensors, path, bytes.size(), tests::kMostGrowth).error;
  });
}

TEST_CASE("the corpus of the fuzzers: npy") {
  tests::check_corpus(GRADUS_CORPUS, "npy", [](const std::string& path, const std::string& bytes) {
    return tests::check_reader(tests::read_npy_file, path, bytes.size(), tests::kMostGrowth).error;
  });
}

TEST_CASE("the corpus of the fuzzers: npz") {
  tests::check_corpus(GRADUS_CORPUS, "npz", [](const std::string& path, const std::string& bytes) {
    return tests::check_reader(tests::read_npz_file, path, bytes.size(), tests::kMostGrowthDeflated).error;
  });
}

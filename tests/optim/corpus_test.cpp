// SPDX-License-Identifier: MIT
#include "tests/fuzz/corpus.hpp"
#include "tests/fuzz/checkpoint_reader.hpp"
#include "tests/fuzz/text_readers.hpp"

using namespace gradus;

TEST_CASE("the corpus of the fuzzers: pairs") { tests::check_corpus(GRADUS_CORPUS, "pairs", tests::check_pairs); }

TEST_CASE("the corpus of the fuzzers: text") { tests::check_corpus(GRADUS_CORPUS, "text", tests::check_text); }

TEST_CASE("the corpus of the fuzzers: vocabulary") {
  tests::check_corpus(GRADUS_CORPUS, "vocabulary", tests::check_vocabulary);
}

TEST_CASE("the corpus of the fuzzers: checkpoint") {
  const tests::TemporaryFolder folder;
  const std::string text = folder / "text";
  tests::write_file(text, tests::kCheckpointText);
  tests::CheckpointThings things(text);
  tests::check_corpus(GRADUS_CORPUS, "checkpoint", [&](const std::string& path, const std::string& /*bytes*/) {
    return tests::check_checkpoint(things, path);
  });
}

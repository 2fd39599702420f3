// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <fstream>
#include <string>
#include <vector>

#include <gradus/tensor/error.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

// The corpus of the fuzzers, in the ordinary build: small inputs that reach each branch of the readers, and those that
// once made one fail.

namespace gradus::tests {

/// The bytes of a line "DIGITS" or "kept DIGITS".
inline std::string corpus_bytes(const std::string& line) {
  std::string out;
  for (size_t at = line.rfind(' ') + 1; at + 2 <= line.size(); at += 2) {
    unsigned byte = 256;
    std::from_chars(line.data() + at, line.data() + at + 2, byte, 16);
    REQUIRE(byte < 256);
    out += static_cast<char>(byte);
  }
  return out;
}

/// Gives each input of a corpus as a file to `check(path, bytes)`, which throws when a reader breaks a promise and
/// returns the text of the reader's error.
template <class Check>
void check_corpus(const std::string& folder, const std::string& format, const Check& check) {
  const TemporaryFolder files;
  const std::string path = files / "input";
  std::ifstream corpus(detail::join(folder, "/", format, ".txt"));
  size_t inputs = 0, loaded = 0, bytes = 0;
  for (std::string line; std::getline(corpus, line); ++inputs) {
    INFO(line);
    const std::string input = corpus_bytes(line);
    write_new_file(path, input);
    std::string error;
    REQUIRE_NOTHROW(error = check(path, input));
    loaded += error.empty() ? 1 : 0;
    bytes += input.size();
  }
  CAPTURE(format, inputs, loaded, bytes);
  CHECK(loaded >= 3);
  CHECK(inputs >= loaded + 6);
  CHECK(bytes <= 40'000);
}

}  // namespace gradus::tests

// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <gradus/examples/char_lm/char_lm.hpp>

#include "tests/examples/program.hpp"

namespace gradus::tests {

inline ProgramResult run_char_lm(const std::vector<std::string>& arguments, const examples::RunOptions& options = {}) {
  return result_of("char_lm", examples::char_lm::program, arguments, options);
}

/// `arguments` after options of a model and a training that take a fraction of a second.
inline std::vector<std::string> tiny_char_lm(const std::vector<std::string>& arguments) {
  std::vector<std::string> out = {"--hidden", "8", "--layers", "1", "--embedding", "4",
                                  "--steps",  "3", "--batch",  "2", "--unroll",    "8"};
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

/// A text that repeats itself: after a few symbols, what follows is certain.
inline std::string repetitive_text() {
  std::string out;
  for (int i = 0; i < 60; ++i) out += "the cat sat on the mat; a dog ran by.\n";
  return out;
}

}  // namespace gradus::tests

// SPDX-License-Identifier: MIT
// Trains a language model of characters and lets it write. See `char_lm --help`.
#include <unistd.h>

#include <iostream>

#include <gradus/examples/char_lm/char_lm.hpp>

int main(int argc, char** argv) {
  return gradus::examples::char_lm::program(argc, argv, std::cout, std::cerr,
                                            {.terminal = ::isatty(STDOUT_FILENO) == 1});
}

// SPDX-License-Identifier: MIT
// Trains a model that turns one sequence of symbols into another. See `transduce --help`.
#include <unistd.h>

#include <iostream>

#include <gradus/examples/transduce/transduce.hpp>

int main(int argc, char** argv) {
  return gradus::examples::transduce::program(argc, argv, std::cout, std::cerr,
                                              {.terminal = ::isatty(STDOUT_FILENO) == 1});
}

// SPDX-License-Identifier: MIT
// Trains a classifier of texts and shows what it attends to. See `classify --help`.
#include <unistd.h>

#include <iostream>

#include <gradus/examples/classify/classify.hpp>

int main(int argc, char** argv) {
  return gradus::examples::classify::program(argc, argv, std::cout, std::cerr,
                                             {.terminal = ::isatty(STDOUT_FILENO) == 1});
}

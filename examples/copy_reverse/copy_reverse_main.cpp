// SPDX-License-Identifier: MIT
// Trains a small encoder-decoder to copy or reverse sequences, and shows what it learned. See `copy_reverse --help`.
#include <unistd.h>

#include <iostream>

#include <gradus/examples/copy_reverse/copy_reverse.hpp>

int main(int argc, char** argv) {
  return gradus::examples::copy_reverse(argc, argv, std::cout, std::cerr, {.terminal = ::isatty(STDOUT_FILENO) == 1});
}

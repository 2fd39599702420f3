// SPDX-License-Identifier: MIT
// Trains recurrent cells on two tasks that need a long memory. See `long_memory --help`.
#include <unistd.h>

#include <iostream>

#include <gradus/examples/long_memory/long_memory.hpp>

int main(int argc, char** argv) {
  return gradus::examples::long_memory::program(argc, argv, std::cout, std::cerr,
                                                {.terminal = ::isatty(STDOUT_FILENO) == 1});
}

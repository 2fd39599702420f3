// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <iostream>

#include <gradus/examples/gradcheck/library_check.hpp>

int main(int argc, char** argv) {
  return gradus::examples::gradus_gradcheck(argc, argv, std::cout, std::cerr, isatty(STDOUT_FILENO) == 1);
}

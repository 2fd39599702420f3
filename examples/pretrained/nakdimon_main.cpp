// SPDX-License-Identifier: MIT
// Writes Hebrew text with its vowels. See `nakdimon --help`.
#include <iostream>

#include <gradus/examples/pretrained/nakdimon.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

int main(int argc, char** argv) {
  gradus::set_num_threads(1);  // the products are small
  return gradus::examples::pretrained::nakdimon(argc, argv, std::cin, std::cout, std::cerr);
}

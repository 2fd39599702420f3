// SPDX-License-Identifier: MIT
// Writes the phonemes of words. See `g2p --help`.
#include <iostream>

#include <gradus/examples/pretrained/g2p.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

int main(int argc, char** argv) {
  gradus::set_num_threads(1);  // the products are small
  return gradus::examples::pretrained::g2p(argc, argv, std::cin, std::cout, std::cerr);
}

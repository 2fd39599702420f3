// SPDX-License-Identifier: MIT
// How gradcheck helps while a layer is written.
#include <unistd.h>

#include <iostream>

#include <gradus/examples/new_layer/new_layer.hpp>

int main() { return gradus::examples::new_layer(std::cout, ::isatty(STDOUT_FILENO) == 1) ? 0 : 1; }

// SPDX-License-Identifier: MIT
// Shows how gradcheck helps to write a layer.
#include <unistd.h>

#include <iostream>

#include <gradus/examples/new_layer/new_layer.hpp>

int main() { return gradus::examples::new_layer(std::cout, ::isatty(STDOUT_FILENO) == 1) ? 0 : 1; }

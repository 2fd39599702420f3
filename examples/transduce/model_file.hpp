// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/examples/transduce/config.hpp>

namespace gradus::examples::transduce {

/// A model, and the symbols that it knows.
struct Learner {
  Known known;
  ModelOptions options;
  Owned<AnyModel> model;
};

/// Writes a .safetensors file, whose metadata has the sizes and the symbols.
void save_learner(const std::string& path, const Learner& learner);

/// Reads a file from save_learner. Throws BadInput when it is another kind of file, when a weight is NaN or infinite,
/// or when `config` asks for other sizes than the file has.
Learner load_learner(const std::string& path, const Config& config);

}  // namespace gradus::examples::transduce

// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/examples/classify/config.hpp>
#include <gradus/examples/classify/data.hpp>

namespace gradus::examples::classify {

/// A model, and the symbols and labels that it knows.
struct Learner {
  Known known;
  Owned<Classifier> model;
};

/// Writes a .safetensors file, whose metadata has the sizes, and the symbols and labels in the order of their numbers.
void save_learner(const std::string& path, const Learner& learner);

/// Reads a file from save_learner. The dropout is that of `config`. Throws BadInput when it is another kind of file,
/// when a weight is NaN or infinite, or when `config` asks for other sizes than the file has.
Learner load_learner(const std::string& path, const Config& config);

}  // namespace gradus::examples::classify

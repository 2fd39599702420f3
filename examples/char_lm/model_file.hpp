// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/examples/char_lm/config.hpp>
#include <gradus/examples/char_lm/model.hpp>
#include <gradus/optim/data/vocabulary.hpp>

namespace gradus::examples::char_lm {

/// A model and the symbols that it knows.
struct Learner {
  Vocabulary symbols;
  Owned<CharLm> model;
};

/// Writes a .safetensors file, whose metadata has the sizes and the symbols in the order of their numbers.
void save_learner(const std::string& path, const Learner& learner);

/// Reads a file from save_learner. The dropout is that of `config`. Throws BadInput when it is another kind of file,
/// when a weight is NaN or infinite, or when `config` asks for other sizes than the file has.
Learner load_learner(const std::string& path, const Config& config);

}  // namespace gradus::examples::char_lm

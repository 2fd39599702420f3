// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/examples/copy_reverse/config.hpp>
#include <gradus/examples/copy_reverse/data/vocabulary.hpp>
#include <gradus/examples/copy_reverse/model/any_model.hpp>

namespace gradus::examples {

/// A model with everything needed to use it. Symbols have the same numbers in source and target.
struct Learner {
  Task task = kDefaultTask;
  Vocabulary vocabulary;
  ModelSettings settings;
  AnyModel model;
};

/// An untrained learner with the sizes from `config`.
Learner new_learner(const Config& config, Vocabulary vocabulary, Generator& generator);

/// Writes a .safetensors file. Its metadata has what is needed to build the model: task, model, the model's settings,
/// and the symbols in the order of their numbers.
void save_learner(const std::string& path, const Learner& learner);

/// Reads a file from save_learner. Throws BadInput when it is another kind of file, when a weight is NaN or infinite,
/// or when `config` asks for another model or setting than the file has. config.task, when set, replaces the
/// task of the file.
Learner load_learner(const std::string& path, const Config& config);

}  // namespace gradus::examples

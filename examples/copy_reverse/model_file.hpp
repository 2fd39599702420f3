// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include <gradus/examples/copy_reverse/config.hpp>
#include <gradus/examples/copy_reverse/data/vocabulary.hpp>
#include <gradus/nn/models/seq2seq.hpp>

namespace gradus::examples {

/// A model with everything needed to use it. Symbols have the same numbers in source and target.
struct Learner {
  Task task = kDefaultTask;
  Vocabulary vocabulary;
  std::unique_ptr<Seq2Seq> model;
};

/// The model options from `config`.
Seq2SeqOptions model_options(const Config& config, const Vocabulary& vocabulary);

/// An untrained learner with the sizes from `config`.
Learner new_learner(const Config& config, Vocabulary vocabulary, Generator& generator);

/// Writes a .safetensors file. Its metadata has what is needed to build the model: task, cell, attention, embedding,
/// hidden, and the symbols in the order of their numbers.
void save_learner(const std::string& path, const Learner& learner);

/// Reads a file from save_learner. Throws BadInput when it is another kind of file, when a weight is NaN or infinite,
/// or when `config` asks for another cell, attention or size than the file has. config.task, when set, replaces the
/// task of the file.
Learner load_learner(const std::string& path, const Config& config);

}  // namespace gradus::examples

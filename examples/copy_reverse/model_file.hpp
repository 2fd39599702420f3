// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include <gradus/examples/copy_reverse/config.hpp>
#include <gradus/examples/copy_reverse/data/vocabulary.hpp>
#include <gradus/nn/models/seq2seq.hpp>

namespace gradus::examples {

/// A model with all it takes to use it. Symbols have the same numbers on both sides.
struct Learner {
  Task task = kDefaultTask;
  Vocabulary vocabulary;
  std::unique_ptr<Seq2Seq> model;
};

/// What `config` asks for.
Seq2SeqOptions model_options(const Config& config, const Vocabulary& vocabulary);

/// Untrained, of the sizes that `config` asks for.
Learner new_learner(const Config& config, Vocabulary vocabulary, Generator& generator);

/// Writes a .safetensors file whose metadata says how to build the model: task, cell, attention, embedding, hidden, and
/// the symbols in the order of their numbers.
void save_learner(const std::string& path, const Learner& learner);

/// Reads what save_learner wrote. Throws BadInput when that is not what the file is, when a weight is NaN or infinite,
/// or when `config` asks for another cell, attention or size than the file has; config.task, where given, replaces the
/// file's.
Learner load_learner(const std::string& path, const Config& config);

}  // namespace gradus::examples

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <gradus/examples/transduce/answers.hpp>
#include <gradus/examples/transduce/data.hpp>
#include <gradus/examples/transduce/model.hpp>

namespace gradus::examples::transduce {

/// The options of transduce. A field without a value has its default, or the value of the loaded model.
struct Config {
  // Files of pairs.
  std::string train;               ///< to learn from
  std::string dev;                 ///< chooses among the evaluations; none: the last weights are kept
  std::string test;                ///< to be scored at the end
  std::string predict;             ///< sources to be answered
  std::optional<std::string> ask;  ///< one source to be answered
  std::optional<Format> format;    ///< of all of them
  int64_t max_length = 2'000;      ///< bytes of a source, target or list of tags

  // The model.
  std::optional<ModelKind> model;
  std::optional<CellKind> cell;
  std::optional<int64_t> layers;
  std::optional<int64_t> heads;
  std::optional<int64_t> hidden;
  std::optional<int64_t> embedding;
  double dropout = 0.4;

  // Training.
  int64_t epochs = 60;
  int64_t batch = 32;
  double learning_rate = 2e-3;
  double weight_decay = 0.01;
  double label_smoothing = 0.0;
  int64_t evaluations = 40;
  uint64_t seed = 1;
  int threads = 1;

  int64_t beams = 4;  ///< 1: greedy decoding

  // Files; empty for no file.
  std::string load;
  std::string out;
  bool resume = false;  ///< go on with the training in `out`
};

/// The final results.
struct Metrics {
  std::optional<Scores> dev;   ///< of the kept weights
  std::optional<Scores> test;  ///< of the kept weights
  double loss = 0;             ///< mean since the last evaluation but one
  int64_t steps = 0;           ///< of all, with those before a resume
  int64_t best_step = 0;       ///< that of the kept weights
  double train_seconds = 0;    ///< of this run, with evaluations
  bool interrupted = false;
  std::string answer;  ///< to the asked source
};

/// True unless a model is only loaded.
bool trains(const Config& config);

/// The sizes of a new model.
ModelOptions model_options(const Config& config, const Known& known);

/// Limits of the sizes, which a loaded file must keep, too. They are there so that a typing error does not fill the
/// memory.
constexpr int64_t kMostLayers = 16;
constexpr int64_t kWidest = 4'096;
constexpr int64_t kLongest = 100'000;

/// Throws BadInput for the first field with an invalid value, with the name of its option.
void check(const Config& config);

/// Throws BadInput when a model with these options cannot be trained (or used) within `available` bytes.
void require_memory(const Config& config, const ModelOptions& options, double available);

}  // namespace gradus::examples::transduce

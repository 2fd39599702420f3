// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <gradus/examples/classify/model.hpp>

namespace gradus::examples::classify {

/// The options of classify. A field without a value has its default, or the value of the loaded model.
struct Config {
  // Files of lines: a label, a tab, a text. No file and no model to load: lines of the built-in task.
  std::string data;                ///< to learn from; one line in ten is held out, unless `test` is given
  std::string test;                ///< to be scored
  std::optional<std::string> ask;  ///< one text to be answered
  int64_t max_length = 400;        ///< symbols of a text

  // The model.
  std::optional<CellKind> cell;
  std::optional<int64_t> layers;
  std::optional<int64_t> directions;
  std::optional<int64_t> hidden;
  std::optional<int64_t> embedding;
  std::optional<Pooling> pooling;
  double dropout = 0.1;

  // Training.
  std::optional<int64_t> steps;
  int64_t batch = 32;
  double learning_rate = 4e-3;
  double weight_decay = 0.01;
  uint64_t seed = 1;
  int threads = 1;

  int64_t show = 3;  ///< lines whose attention is drawn

  // Files; empty for no file.
  std::string load;
  std::string out;
};

constexpr int64_t kDefaultSteps = 600;

/// The final results.
struct Metrics {
  std::optional<double> accuracy;  ///< of the scored lines; not set when there are none
  double baseline = 0;             ///< the share of the label that is most frequent among them
  int64_t scored = 0;              ///< how many lines
  double loss = 0;                 ///< of the last step
  double train_seconds = 0;
  int64_t steps = 0;
  std::string answer;  ///< the label of the asked text
};

/// True unless a model is only loaded.
bool trains(const Config& config);
/// True when the lines are those of the built-in task.
bool is_built_in(const Config& config);

/// The sizes of a new model.
ClassifierOptions model_options(const Config& config, int64_t vocab, int64_t classes);

/// Limits of the sizes, which a loaded file must keep, too. They are there so that a typing error does not fill the
/// memory.
constexpr int64_t kMostLayers = 16;
constexpr int64_t kWidest = 4'096;
constexpr int64_t kMostLabels = 10'000;

/// Throws BadInput for the first field with an invalid value, with the name of its option.
void check(const Config& config);

/// Throws BadInput when a model with these options and one batch of texts of `longest` symbols cannot fit into
/// `available` bytes.
void require_memory(const Config& config, const ClassifierOptions& options, int64_t longest, double available);

}  // namespace gradus::examples::classify

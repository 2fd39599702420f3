// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <gradus/examples/copy_reverse/data/item.hpp>
#include <gradus/examples/copy_reverse/model/settings.hpp>
#include <gradus/nn/drawing/attention_map.hpp>
#include <gradus/nn/models/seq2seq.hpp>

namespace gradus::examples {

/// The options of copy_reverse. A field without a value has its default (kDefault...), or the value of the loaded
/// model.
struct Config {
  // The task and its data.
  std::optional<Task> task;
  std::string data;              ///< a text file with one item a line; empty: random sequences
  std::optional<int64_t> vocab;  ///< random sequences: number of symbols
  int64_t min_length = 1;        ///< random sequences
  int64_t max_length = 20;
  int64_t held_out = 10'000;  ///< random sequences: number of items to score

  // The model.
  std::optional<ModelKind> model;
  std::optional<CellKind> cell;
  std::optional<AttentionKind> attention;
  std::optional<int64_t> embedding;
  std::optional<int64_t> hidden;
  std::vector<Setting> more;  ///< its other options

  // Training.
  int64_t steps = 2'000;  ///< 0 only with `load`: scores the model without training. See default_steps
  int64_t batch = 32;
  double learning_rate = 4e-3;  ///< its peak
  uint64_t seed = 1;
  int threads = 1;  ///< more than one pays from a hidden size of about 128 on

  // Files; empty for no file.
  std::string load;
  std::string eval;
  std::string out;

  MapColour colour = MapColour::none;  ///< of the attention in a terminal
};

constexpr Task kDefaultTask = Task::reverse;
constexpr ModelKind kDefaultModel = ModelKind::seq2seq;
constexpr int64_t kDefaultVocab = 20;

/// How many items were answered without a mistake, end mark included, by free decoding.
struct Score {
  int64_t items = 0;
  int64_t exact = 0;
  double rate() const { return items == 0 ? 0.0 : static_cast<double>(exact) / static_cast<double>(items); }
};

/// The final results.
struct Metrics {
  std::optional<Score> held_out;   ///< not set when only --eval was given
  std::optional<Score> eval_file;  ///< for --eval
  double loss = 0;                 ///< mean over the last tenth of the steps
  double train_seconds = 0;        ///< of the training loop, with its progress output
  double tokens_per_second = 0;    ///< target symbols and end marks trained on, divided by train_seconds
  int64_t parameters = 0;          ///< number of trainable numbers
  int64_t steps = 0;
  uint64_t seed = 0;
};

// The names used on the command line and in files.
const char* name_of(Task task);
const char* name_of(CellKind cell);
const char* name_of(AttentionKind attention);
std::optional<Task> task_from(const std::string& name);
std::optional<AttentionKind> attention_from(const std::string& name);

/// The options of the model that have a value.
std::vector<Setting> asked_settings(const Config& config);
/// A new model's settings.
ModelSettings model_settings(const Config& config);
/// The steps that a new model is trained for when --steps is not given.
int64_t default_steps(const Config& config);

/// Throws BadInput for the first field with an invalid value, with the name of its option.
void check(const Config& config);

}  // namespace gradus::examples

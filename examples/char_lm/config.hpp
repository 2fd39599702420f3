// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <gradus/examples/char_lm/model.hpp>

namespace gradus::examples::char_lm {

/// The options of char_lm. A field without a value has its default, or the value of the loaded model.
struct Config {
  std::string data;  ///< a UTF-8 text file

  // The model.
  std::optional<CellKind> cell;
  std::optional<int64_t> layers;
  std::optional<int64_t> hidden;
  std::optional<int64_t> embedding;
  double dropout = 0.1;

  // Training. It ends when one of `steps` and `seconds` is reached.
  std::optional<int64_t> steps;
  std::optional<double> seconds;
  int64_t batch = 32;
  int64_t unroll = 64;  ///< symbols of a row in one step
  double learning_rate = 4e-3;
  int64_t warmup = 5;  ///< steps in which the learning rate rises
  double weight_decay = 0.1;
  double clip = 5.0;
  uint64_t seed = 1;
  int threads = 1;

  // Text that the model writes at the end.
  int64_t sample = 400;  ///< 0: none
  double temperature = 0.8;
  std::string prompt;  ///< empty: a new line

  // Files; empty for no file.
  std::string load;
  std::string out;
  std::string checkpoints;  ///< a folder
};

constexpr int64_t kDefaultSteps = 2'000;

/// The final results.
struct Metrics {
  std::optional<double> validation;  ///< nats a symbol over the whole validation part; not set without data
  double loss = 0;                   ///< of the last step
  double train_seconds = 0;          ///< of the training loop, with its progress output and validation
  double symbols_per_second = 0;     ///< trained on, without the time for validation
  int64_t validation_symbols = 0;
  int64_t steps = 0;   ///< done, with those before a resume
  std::string sample;  ///< the text that the model wrote
};

/// True unless a model is only loaded.
bool trains(const Config& config);

/// The sizes of a new model for `vocab` symbols.
CharLmOptions model_options(const Config& config, int64_t vocab);

/// Limits of the sizes, which a loaded file must keep, too. They are there so that a typing error does not fill the
/// memory.
constexpr int64_t kMostLayers = 16;
constexpr int64_t kWidest = 4'096;

/// Throws BadInput for the first field with an invalid value, with the name of its option.
void check(const Config& config);

/// Throws BadInput when a model with these options and one batch cannot fit into `available` bytes.
void require_memory(const Config& config, const CharLmOptions& options, double available);

}  // namespace gradus::examples::char_lm

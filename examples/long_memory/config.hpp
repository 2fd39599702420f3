// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gradus/examples/long_memory/tasks.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus::examples::long_memory {

/// The options of long_memory. A field without a value, or a list without elements, has the default of the task.
struct Config {
  TaskKind task = TaskKind::adding;
  std::vector<CellKind> cells;
  std::vector<int64_t> lengths;
  std::optional<int64_t> hidden;
  std::optional<int64_t> steps;  ///< at most: a training ends when it has solved its task
  int64_t batch = 32;
  double learning_rate = 0.02;
  uint64_t seed = 1;
  int threads = 1;
  std::string out;  ///< empty: no picture
};

/// What a task needs.
struct TaskDefaults {
  std::vector<int64_t> lengths;
  int64_t hidden;
  int64_t steps;
};
TaskDefaults task_defaults(TaskKind task);

/// `config` with a value for everything.
Config completed(Config config);

/// What one cell learned at one length.
struct Result {
  CellKind cell = CellKind::rnn;
  int64_t length = 0;
  double loss = 0;      ///< over sequences that it was not trained on
  double baseline = 0;  ///< the loss of the best answer without memory
  double accuracy = 0;  ///< over the same sequences: the share of right answers
  int64_t steps = 0;
  double seconds = 0;
};

/// A result for each cell and length, in the order of the options.
struct Metrics {
  std::vector<Result> results;
};

/// Throws BadInput for the first field of a completed config with an invalid value, with the name of its option.
void check(const Config& config);

/// Throws BadInput when one batch of the longest sequences cannot fit into `available` bytes.
void require_memory(const Config& config, double available);

}  // namespace gradus::examples::long_memory

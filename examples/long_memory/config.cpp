// SPDX-License-Identifier: MIT
#include <gradus/examples/long_memory/config.hpp>

#include <algorithm>

#include <gradus/examples/common/check_option.hpp>
#include <gradus/examples/common/machine_memory.hpp>

namespace gradus::examples::long_memory {

TaskDefaults task_defaults(TaskKind task) {
  if (task == TaskKind::adding) {
    return {.lengths = {10, 25, 50, 100}, .hidden = 32, .steps = 4'000};
  }
  return {.lengths = {2, 5, 10, 20}, .hidden = 64, .steps = 4'000};
}

Config completed(Config config) {
  TaskDefaults defaults = task_defaults(config.task);
  if (config.cells.empty()) {
    for (const CellKind cell : {CellKind::rnn, CellKind::gru, CellKind::lstm}) config.cells.push_back(cell);
  }
  if (config.lengths.empty()) config.lengths = std::move(defaults.lengths);
  if (!config.hidden.has_value()) config.hidden = defaults.hidden;
  if (!config.steps.has_value()) config.steps = defaults.steps;
  return config;
}

void check(const Config& config) {
  constexpr int64_t kWidest = 4'096;
  for (const int64_t length : config.lengths) check_between("--lengths", length, kShortest, 10'000);
  check_between("--hidden", config.hidden.value(), 1, kWidest);
  check_between("--steps", config.steps.value(), 1, 1'000'000'000);
  check_between("--batch", config.batch, 1, kWidest);
  check_real("--learning-rate", config.learning_rate, config.learning_rate > 0, "a positive number");
  check_between("--threads", config.threads, 1, 1'024);
}

void require_memory(const Config& config, double available) {
  // The gates and the state of each step, with their gradients, of the LSTM.
  constexpr double kNumbersOfUnit = 2 * 6;
  const int64_t longest = steps_of(config.task, *std::max_element(config.lengths.begin(), config.lengths.end()));
  const double needed = sizeof(float) * kNumbersOfUnit * static_cast<double>(longest) *
                        static_cast<double>(config.batch) * static_cast<double>(config.hidden.value());
  if (needed <= available) return;
  throw BadInput("this takes at least " + gigabytes(needed) + " of memory, and there are " + gigabytes(available) +
                 ": expected a smaller --hidden or --batch, or shorter --lengths");
}

}  // namespace gradus::examples::long_memory

// SPDX-License-Identifier: MIT
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>
#include <ostream>

#include <gradus/examples/common/machine_memory.hpp>
#include <gradus/examples/common/output_folder.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/examples/long_memory/learner.hpp>
#include <gradus/examples/long_memory/long_memory.hpp>
#include <gradus/examples/long_memory/plot.hpp>
#include <gradus/optim/training/progress_line.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::examples::long_memory {
namespace {

constexpr int64_t kSequencesAtEnd = 1'024;

template <class... Values>
std::string formatted(const char* format, const Values&... values) {
  std::array<char, 160> line{};
  std::snprintf(line.data(), line.size(), format, values...);
  return line.data();
}

void tell_plan(std::ostream& out, const Config& config) {
  out << "task       " << task_name(config.task)
      << (config.task == TaskKind::adding
              ? ": the sum of two marked numbers; the loss is the mean squared error, right is within 0.04\n"
              : ": 10 symbols after T steps; the loss is in nats a step, the accuracy that of the 10 symbols\n");
  out << "training   hidden " << *config.hidden << ", at most " << grouped(*config.steps) << " steps of "
      << config.batch << " sequences, seed " << config.seed << ", threads " << num_threads() << "\n\n";
  out << "cell  length      loss  baseline  accuracy  steps  seconds\n" << std::flush;
}

/// On a terminal, shows the steps in the line that becomes the row of the table.
class StepsShown : public TrainingObserver {
 public:
  StepsShown(std::ostream& out, bool terminal, const Result& row)
      : line(out, terminal), terminal_(terminal), row_(row) {}
  void observe(TrainingEvent event, const TrainingStatus& status) override {
    if (event != TrainingEvent::step || !terminal_ || !line.wants(false)) return;
    line.show(formatted("%-4s  %6lld  step %lld of %lld  loss %.4f", cell_name(row_.cell),
                        static_cast<long long>(row_.length), static_cast<long long>(status.step),
                        static_cast<long long>(status.steps), status.step_loss));
  }
  ProgressLine line;

 private:
  bool terminal_;
  const Result& row_;
};

Result train(const Config& config, CellKind cell, int64_t length, std::ostream& out, const RunOptions& options,
             TrainingStatus& status) {
  LongMemoryLearner learner({.model = {.task = config.task, .cell = cell, .hidden_size = *config.hidden},
                             .length = length,
                             .steps = *config.steps,
                             .batch = config.batch,
                             .learning_rate = config.learning_rate},
                            config.seed);
  Result result{.cell = cell, .length = length, .baseline = baseline_loss(config.task, length)};
  StepsShown progress(out, options.terminal, result);
  status = learner.train(progress);
  result.steps = status.step;
  const LongMemoryLearner::Scores scores = learner.score(kSequencesAtEnd);
  result.loss = scores.loss;
  result.accuracy = scores.accuracy;
  result.seconds = progress.line.seconds();
  const std::string row = formatted("%-4s  %6lld  %8.5f  %8.5f  %7.1f %%  %5lld  %7.1f", cell_name(cell),
                                    static_cast<long long>(length), result.loss, result.baseline, 100 * result.accuracy,
                                    static_cast<long long>(result.steps), result.seconds);
  if (options.terminal) {
    progress.line.show(row);
    progress.line.finish();
  } else {
    out << row << "\n" << std::flush;
  }
  return result;
}

}  // namespace

Metrics run(const Config& given, std::ostream& out, const RunOptions& options) {
  const Config config = completed(given);
  check(config);
  require_memory(config, memory_of_machine());
  set_num_threads(config.threads);
  const std::string picture = std::string(task_name(config.task)) + ".svg";
  std::optional<OutputFolder> folder;
  if (!config.out.empty()) folder.emplace(config.out, std::vector<std::string>{picture});
  tell_plan(out, config);
  Metrics metrics;
  TrainingStatus status;
  for (const CellKind cell : config.cells) {
    for (const int64_t length : config.lengths) {
      if (status.end == TrainingEvent::interrupted)
        break;  // the table ends with the row of the training that Ctrl-C ended
      metrics.results.push_back(train(config, cell, length, out, options, status));
    }
  }
  if (folder.has_value()) {
    folder->write(picture, accuracy_plot(config.task, metrics));
    out << "\nThe accuracies are drawn in " << printable(folder->file(picture)) << "\n";
  }
  return metrics;
}

Metrics run(const Config& config) {
  std::ostream silence(nullptr);
  return run(config, silence);
}

}  // namespace gradus::examples::long_memory

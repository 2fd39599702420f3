// SPDX-License-Identifier: MIT
#include <stdexcept>

#include <gradus/optim/training/event_file.hpp>
#include <gradus/optim/training/trainer.hpp>

namespace gradus {
namespace {

// Calls `run`, which reports a failure as a std::runtime_error.
template <class Run>
void as_error(const Run& run) {
  try {
    run();
  } catch (const std::runtime_error& failure) {
    detail::throw_error(detail::join("[TensorBoardLog] ", failure.what()));
  }
}

}  // namespace

TensorBoardLog::TensorBoardLog(const std::string& folder, const TensorBoardOptions& options) : options_(options) {
  GRADUS_CHECK(options.every >= 1, "[TensorBoardLog] expected every >= 1, got ", options.every);
  as_error([&] { file_ = new detail::EventFile(folder); });
}

TensorBoardLog::~TensorBoardLog() { delete file_; }

void TensorBoardLog::observe(TrainingEvent event, const TrainingStatus& status) {
  switch (event) {
    case TrainingEvent::resumed:
      return as_error([&] { file_->restart(status.step + 1); });
    case TrainingEvent::step:
      loss_sum_ += status.step_loss;
      ++losses_;
      if (status.step % options_.every != 0 && status.step != status.steps) return;
      as_error([&] {
        file_->add(status.step, {{"loss", loss_sum_ / static_cast<double>(losses_)},
                                 {"gradient_norm", status.gradient_norm},
                                 {"learning_rate", status.learning_rate}});
      });
      loss_sum_ = 0.0;
      losses_ = 0;
      return;
    case TrainingEvent::evaluation:
      return as_error([&] { file_->add(status.step, {{"metric", status.metric}}); });
    case TrainingEvent::better:
    case TrainingEvent::saved:
    case TrainingEvent::interrupted:
    case TrainingEvent::stopped_early:
    case TrainingEvent::ended:
      return;
  }
}

}  // namespace gradus

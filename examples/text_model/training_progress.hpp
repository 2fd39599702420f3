// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include <gradus/optim/training/progress_line.hpp>

namespace gradus::examples {

struct TrainingProgressOptions {
  std::optional<int64_t> steps;
  std::optional<double> seconds;
  int64_t items_of_step = 0;
  const char* items = "items";         ///< what they are called
  const char* measure = "validation";  ///< what set_validation() is given
  bool terminal = false;               ///< overwrite one line, instead of printing a line now and then
};

/// How far a training is, by steps and by time, and its progress line: step, loss, validation, items/s, time left.
class TrainingProgress {
 public:
  /// `out` must outlive it. The time begins to count.
  TrainingProgress(std::ostream& out, const TrainingProgressOptions& options);

  /// How much of the training is over, from 0 to 1: by steps or by time, whichever is further.
  double part() const noexcept { return part_; }
  /// Call it after each step, with its loss. Only this changes part().
  void step_done(double loss);
  /// True about ten times in all, after the last step too: the validation part must be measured now.
  bool wants_validation();
  /// `seconds`: how long it took to measure it.
  void set_validation(double value, double seconds);
  /// Shows the line when it is time to.
  void show();
  /// Ends the line. Call it after the last step.
  void finish() { line_.finish(); }

  int64_t steps() const noexcept { return step_; }
  double seconds() const { return line_.seconds(); }
  /// Without the time for validation.
  double items_per_second() const;

 private:
  std::string text() const;

  TrainingProgressOptions options_;
  ProgressLine line_;
  int64_t step_ = 0;
  double part_ = 0.0;
  double loss_ = 0.0;  // summed since the last line
  int64_t losses_ = 0;
  int reports_ = 0;
  bool due_ = false;
  std::optional<double> validation_;
  double validation_seconds_ = 0.0;
};

}  // namespace gradus::examples

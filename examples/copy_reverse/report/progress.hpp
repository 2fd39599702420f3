// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include <gradus/optim/training/progress_line.hpp>

namespace gradus::examples {

struct ProgressOptions {
  int64_t steps = 0;
  bool terminal = false;  ///< overwrite one line, instead of printing a line now and then
};

/// The progress line of the training: step, loss, exact match, tokens/s, time left.
class Progress {
 public:
  /// `out` must outlive it.
  Progress(std::ostream& out, const ProgressOptions& options);

  /// True about twenty times in all, including the last step: the exact match must be measured again.
  bool wants_exact_match(int64_t step) const;
  void set_exact_match(double rate) { exact_match_ = rate; }
  /// Call it after each step, counted from 1.
  void step_done(int64_t step, double loss, int64_t tokens);
  /// Ends the progress line. Call it after the last step.
  void finish() { shown_.finish(); }

  double seconds() const { return shown_.seconds(); }
  double tokens_per_second() const;
  /// The mean loss over the last tenth of all steps.
  double final_loss() const { return tail_loss_.mean(); }

 private:
  struct Mean {
    double sum = 0;
    int64_t count = 0;
    double mean() const { return count == 0 ? 0.0 : sum / static_cast<double>(count); }
  };

  std::string line(int64_t step) const;

  ProgressOptions options_;
  ProgressLine shown_;
  int64_t tokens_ = 0;
  Mean recent_loss_;  // since the last line in a pipe, or over the last steps on a terminal
  Mean tail_loss_;
  std::optional<double> exact_match_;
};

}  // namespace gradus::examples

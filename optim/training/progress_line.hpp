// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <iosfwd>
#include <string>

#include <gradus/tensor/api.hpp>

namespace gradus {

/// Shows how far a training is, and measures its time. On a terminal it overwrites one line in place, elsewhere it
/// prints a line now and then.
class GRADUS_API ProgressLine {
 public:
  /// `out` must outlive it.
  ProgressLine(std::ostream& out, bool terminal);
  /// Ends the line, also when an exception ended the training.
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// True when a line should be shown now: when it is `due`, and on a terminal often enough to look alive.
  bool wants(bool due) const;
  void show(const std::string& text);
  /// Ends the line and stops the clock.
  void finish();
  /// Since the construction, until finish().
  double seconds() const;

 private:
  using Clock = std::chrono::steady_clock;

  std::ostream& out_;
  bool terminal_;
  Clock::time_point start_;
  Clock::time_point shown_;
  Clock::time_point end_;
  bool finished_ = false;
  bool open_ = false;
};

/// "8 s", "2 min 05 s", "3 h 20 min".
GRADUS_API std::string duration_text(double seconds);

}  // namespace gradus

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace gradus::detail {

/// A point on a line: its distance from the start in units of the direction, the loss, the slope along the line, and
/// the whole gradient.
struct LinePoint {
  double at = 0.0;
  double loss = 0.0;
  double slope = 0.0;
  std::vector<double> gradient = {};
};

struct LineSearchOptions {
  /// The first distance to try.
  double first = 1.0;
  int64_t max_trials = 25;
  /// How far rounding may move a loss, relative to it.
  double rounding = 0.0;
};

/// A point that fulfils the strong Wolfe conditions, or else the best one found. That is the start when nothing is
/// better. (Nocedal and Wright 2006, algorithms 3.5 and 3.6.) A loss or a slope that is not finite counts as too far.
/// `start.slope` must be negative.
LinePoint line_search(const std::function<LinePoint(double)>& evaluate, const LinePoint& start,
                      const LineSearchOptions& options);

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/differences/differences.hpp>

namespace gradus::detail {

/// The bounds for judging one derivative.
struct Rules {
  double step = 2e-3;
  double allowed = 1e-9;
  /// One-sided slopes that differ by more than this, relative to their size, are checked again with shorter steps.
  double suspicious_gap = 1e-5;
  /// How far outside the one-sided slopes a derivative at a kink may be, relative to their size.
  double slack = 1e-6;
  /// Slopes count as at least this large, relative to Slopes::natural.
  double smallest_slope = 1e-3;
  /// A derivative is not judged when rounding may change it by more than this, relative to its size.
  double coarsest = 1e-7;
};
Rules rules_for(const GradcheckOptions& options, int order);

/// Compares one derivative with the differences along `direction` and gives a verdict. The caller fills in `where` and
/// `label`. `reached` says that a gradient flows to the input. Rounding widens the allowed error, up to
/// Rules::coarsest.
ElementCheck judge(const Differences& differences, const Direction& direction, double analytic, bool reached,
                   const Rules& rules);

/// The errors for steps from 1e-1 to 1e-9.
std::vector<StepError> sweep_steps(const Differences& differences, const Direction& direction, double analytic);
/// The cause of a failure at `step`, as the sweep shows it.
Cause cause_of(const std::vector<StepError>& sweep, double step);

}  // namespace gradus::detail

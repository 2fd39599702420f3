// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/differences/differences.hpp>

namespace gradus::detail {

/// What one derivative is held to.
struct Rules {
  double step = 2e-3;
  double allowed = 1e-9;
  /// One-sided slopes further apart than this, relative to their size, are looked at again with shorter steps.
  double suspicious_gap = 1e-5;
  /// How far outside the one-sided slopes a derivative may lie at a kink, relative to their size.
  double slack = 1e-6;
  /// Slopes count as at least so large, relative to Slopes::natural.
  double smallest_slope = 1e-3;
  /// Where rounding may put more than this into a derivative, relative to its size, it is not judged.
  double coarsest = 1e-7;
};
Rules rules_for(const GradcheckOptions& options, int order);

/// Compares one derivative with the differences along `direction` and says what it is: `where` and `label` are left to
/// the caller. `reached`: a gradient flows to the input. Rounding widens what is allowed, up to Rules::coarsest.
ElementCheck judge(const Differences& differences, const Direction& direction, double analytic, bool reached,
                   const Rules& rules);

/// The error at steps from 1e-1 to 1e-9.
std::vector<StepError> sweep_steps(const Differences& differences, const Direction& direction, double analytic);
/// What such a sweep says about a failure at `step`.
Cause cause_of(const std::vector<StepError>& sweep, double step);

}  // namespace gradus::detail

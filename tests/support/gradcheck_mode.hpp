// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>

#include "tests/support/sanitized.hpp"

namespace gradus::tests {

/// Sweeps over all ops and layers compare each element of a derivative or, under a sanitizer, one random direction. The
/// direction runs the same code many times sooner, and the numbers are compared without the sanitizer.
inline constexpr GradcheckMode kSweepMode = kSanitized ? GradcheckMode::directional : GradcheckMode::automatic;
inline constexpr int kSweepDirections = kSanitized ? 1 : 4;

}  // namespace gradus::tests

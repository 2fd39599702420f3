// SPDX-License-Identifier: MIT
// Learning rates that change with the step.
#pragma once

#include <cstdint>

#include <gradus/tensor/api.hpp>

namespace gradus {

struct WarmupCosineOptions {
  double peak = 1e-3;
  /// The number of steps of the rise; 0 for no rise.
  int64_t warmup = 0;
  /// The number of all steps, the rise included.
  int64_t total = 0;  ///< >= 1
};

/// The learning rate of step 1, 2, ..: peak * step / warmup up to `warmup`, then half a cosine down to 0 at `total`,
/// and 0 after that. Call `optimizer.set_learning_rate_(warmup_cosine(step, {...}))` before each step.
[[nodiscard]] GRADUS_API double warmup_cosine(int64_t step, const WarmupCosineOptions& options);

}  // namespace gradus

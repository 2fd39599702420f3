// SPDX-License-Identifier: MIT
// Learning rates that change with the step.
#pragma once

#include <cstdint>

#include <gradus/tensor/tensor.hpp>

namespace gradus {

struct WarmupCosineOptions {
  /// The largest rate.
  Required<double> peak;
  /// The number of steps in which the rate rises; 0: none.
  int64_t warmup = 0;
  /// The number of all steps, including the rise; >= 1.
  Required<int64_t> total;
};

/// The learning rate of step 1, 2, ..: peak * step / warmup up to `warmup`, then half a cosine down to 0 at `total`,
/// and 0 afterwards. Call `optimizer.set_learning_rate(warmup_cosine(step, {...}))` before each step.
[[nodiscard]] GRADUS_API double warmup_cosine(int64_t step, const WarmupCosineOptions& options);

}  // namespace gradus

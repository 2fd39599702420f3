// SPDX-License-Identifier: MIT
// Learning rates that change with the step.
#pragma once

#include <cstdint>

#include <gradus/tensor/tensor.hpp>

namespace gradus {

struct WarmupCosineOptions {
  /// The largest rate.
  Required<double> peak;
  /// Steps of the rise; 0: none.
  int64_t warmup = 0;
  /// All steps, the rise included; >= 1.
  Required<int64_t> total;
};

/// The learning rate of step 1, 2, ..: peak * step / warmup up to `warmup`, then half a cosine down to 0 at `total` and
/// beyond. For `optimizer.set_learning_rate(warmup_cosine(step, {...}))` before each step.
[[nodiscard]] GRADUS_API double warmup_cosine(int64_t step, const WarmupCosineOptions& options);

}  // namespace gradus

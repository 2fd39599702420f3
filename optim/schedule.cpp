// SPDX-License-Identifier: MIT
#include <gradus/optim/optimizer.hpp>

#include <cmath>
#include <numbers>

#include <gradus/tensor/error.hpp>

namespace gradus {

double warmup_cosine(int64_t step, const WarmupCosineOptions& o) {
  const double peak = o.peak;
  const int64_t total = o.total;
  GRADUS_CHECK(step >= 1 && o.warmup >= 0 && total >= 1 && total >= o.warmup,
               "[warmup_cosine] expected step >= 1, total >= 1 and 0 <= warmup <= total, got step ", step, ", warmup ",
               o.warmup, ", total ", total);
  if (step <= o.warmup) return peak * static_cast<double>(step) / static_cast<double>(o.warmup);
  if (step >= total) return 0.0;
  const double done = static_cast<double>(step - o.warmup) / static_cast<double>(total - o.warmup);
  return peak * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
}

}  // namespace gradus

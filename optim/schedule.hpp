// SPDX-License-Identifier: MIT
// Learning rates that change with the step: plain values, called with the step; and ReduceOnPlateau, which has a state.
#pragma once

#include <cstdint>
#include <vector>

#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/tensor.hpp>

namespace gradus {

// A schedule gives the rate of step 1, 2, ..: `optimizer.set_learning_rate(schedule(step))` before each step. It keeps
// nothing between calls, so a run that is resumed needs only its step. Each throws when the step is below 1 or an
// option is wrong. Step s is epoch s - 1 of PyTorch's schedulers.

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

struct GRADUS_API ConstantRate {
  Required<double> rate;
  [[nodiscard]] double operator()(int64_t step) const;
};

/// Multiplies the rate by `factor` after every `every` steps.
struct GRADUS_API StepRate {
  Required<double> rate;
  Required<int64_t> every;
  double factor = 0.1;
  [[nodiscard]] double operator()(int64_t step) const;
};

/// Multiplies the rate by `factor` after each of `after` steps, which must rise.
struct GRADUS_API MultiStepRate {
  Required<double> rate;
  std::vector<int64_t> after = {};
  double factor = 0.1;
  [[nodiscard]] double operator()(int64_t step) const;
};

/// Multiplies the rate by `factor` after each step.
struct GRADUS_API ExponentialRate {
  Required<double> rate;
  Required<double> factor;
  [[nodiscard]] double operator()(int64_t step) const;
};

/// Half a cosine from `peak` at step 1 to `least` after `total` steps, where it stays.
struct GRADUS_API CosineRate {
  Required<double> peak;
  Required<int64_t> total;
  double least = 0.0;
  [[nodiscard]] double operator()(int64_t step) const;
};

/// SGDR (Loshchilov and Hutter 2017): half a cosine from `peak` towards `least` in `period` steps, then again from the
/// peak, each time in `growth` (>= 1) times as many steps.
struct GRADUS_API CosineRestarts {
  Required<double> peak;
  Required<int64_t> period;
  int64_t growth = 1;
  double least = 0.0;
  [[nodiscard]] double operator()(int64_t step) const;
};

/// peak * step / warmup up to step `warmup` (>= 1), then `peak`.
struct GRADUS_API LinearWarmup {
  Required<double> peak;
  Required<int64_t> warmup;
  [[nodiscard]] double operator()(int64_t step) const;
};

/// peak * min(step / warmup, sqrt(warmup / step)). With peak = 1 / sqrt(model_size * warmup) it is equation 3 of
/// Vaswani et al. 2017.
struct GRADUS_API InverseSquareRoot {
  Required<double> peak;
  Required<int64_t> warmup;
  [[nodiscard]] double operator()(int64_t step) const;
};

/// One cycle (Smith and Topin 2018), as PyTorch has it: from peak / start_divisor up to `peak` in the share `rise` of
/// the steps, then down to peak / start_divisor / end_divisor at step `total`, where it stays. Half cosines, or lines.
struct GRADUS_API OneCycle {
  Required<double> peak;
  Required<int64_t> total;
  double rise = 0.3;
  double start_divisor = 25.0;
  double end_divisor = 1e4;
  bool linear = false;
  [[nodiscard]] double operator()(int64_t step) const;
};

namespace detail {
GRADUS_API void check_chain(int64_t step, int64_t steps);
}

/// One schedule for the first steps, then another one from its own step 1. Made by chain() and warm_up().
template <class First, class Then>
struct ChainedRate {
  First first;
  int64_t steps;
  Then then;
  [[nodiscard]] double operator()(int64_t step) const {
    detail::check_chain(step, steps);
    return step <= steps ? first(step) : then(step - steps);
  }
};

/// `first` for `steps` (>= 0) steps, then `then` from its step 1. Chains of chains are chains.
template <class First, class Then>
[[nodiscard]] ChainedRate<First, Then> chain(const First& first, int64_t steps, const Then& then) {
  detail::check_chain(1, steps);
  return {first, steps, then};
}

/// A line up to the first rate of `then` in `warmup` steps, and then that schedule:
/// `warm_up(100, StepRate{.rate = 1e-3, .every = 1000})`.
template <class Then>
[[nodiscard]] ChainedRate<LinearWarmup, Then> warm_up(int64_t warmup, const Then& then) {
  return chain(LinearWarmup{.peak = then(1), .warmup = warmup}, warmup, then);
}

struct ReduceOnPlateauOptions {
  /// The first rate.
  Required<double> rate;
  double factor = 0.1;
  /// The number of values in a row without improvement that change nothing.
  int64_t patience = 10;
  /// An improvement is a value below best * (1 - threshold), or best - threshold when `absolute`.
  double threshold = 1e-4;
  bool absolute = false;
  /// Larger values are better, and the signs of the thresholds turn.
  bool maximize = false;
  /// After a reduction, this many values count as improvements.
  int64_t cooldown = 0;
  double least = 0.0;
  /// Smaller changes of the rate are not made.
  double smallest_change = 1e-8;
};

/// Multiplies the rate by `factor` when a value, such as the validation loss, no longer improves. As PyTorch's
/// ReduceLROnPlateau. `optimizer.set_learning_rate(plateau.update(loss))`.
class GRADUS_API ReduceOnPlateau {
 public:
  explicit ReduceOnPlateau(const ReduceOnPlateauOptions& options);

  /// Takes the next value and returns the rate from now on. Throws when the value is NaN.
  double update(double value);
  double rate() const noexcept { return rate_; }
  /// The best value so far; infinite before the first.
  double best() const noexcept { return best_; }

  /// "rate", "best", "without_improvement" and "cooldown".
  [[nodiscard]] std::vector<NamedTensor> state_dict() const;
  /// Throws one Error with all that does not match, and then changes nothing.
  void load_state_dict(const std::vector<NamedTensor>& state);

 private:
  ReduceOnPlateauOptions options_;
  double rate_;
  double best_;
  int64_t without_improvement_ = 0;
  int64_t cooldown_ = 0;
};

}  // namespace gradus

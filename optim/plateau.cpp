// SPDX-License-Identifier: MIT
#include <gradus/optim/schedule.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <gradus/optim/state.hpp>

namespace gradus {
namespace {

double worst_value(const ReduceOnPlateauOptions& options) {
  const double infinity = std::numeric_limits<double>::infinity();
  return options.maximize ? -infinity : infinity;
}

}  // namespace

ReduceOnPlateau::ReduceOnPlateau(const ReduceOnPlateauOptions& options)
    : options_(options), rate_(options.rate), best_(worst_value(options)) {
  const char* const caller = "ReduceOnPlateau";
  detail::check_not_negative(caller, "a rate", options.rate);
  detail::check_share(caller, "factor", options.factor);
  detail::check_not_negative(caller, "a threshold", options.threshold);
  detail::check_not_negative(caller, "a least rate", options.least);
  detail::check_not_negative(caller, "a smallest_change", options.smallest_change);
  GRADUS_CHECK(options.patience >= 0 && options.cooldown >= 0,
               "[ReduceOnPlateau] expected patience >= 0 and cooldown >= 0, got ", options.patience, " and ",
               options.cooldown);
}

double ReduceOnPlateau::update(double value) {
  GRADUS_CHECK(!std::isnan(value), "[ReduceOnPlateau] expected a number, got ", value);
  const double sign = options_.maximize ? 1.0 : -1.0;
  const double needed =
      options_.absolute ? best_ + sign * options_.threshold : best_ * (1.0 + sign * options_.threshold);
  if (options_.maximize ? value > needed : value < needed) {
    best_ = value;
    without_improvement_ = 0;
  } else {
    ++without_improvement_;
  }
  if (cooldown_ > 0) {
    --cooldown_;
    without_improvement_ = 0;
  }
  if (without_improvement_ > options_.patience) {
    const double reduced = std::max(rate_ * options_.factor, options_.least);
    if (rate_ - reduced > options_.smallest_change) rate_ = reduced;
    cooldown_ = options_.cooldown;
    without_improvement_ = 0;
  }
  return rate_;
}

std::vector<NamedTensor> ReduceOnPlateau::state_dict() const {
  return {{"rate", detail::number_state(rate_)},
          {"best", detail::number_state(best_)},
          {"without_improvement", detail::integer_state(without_improvement_)},
          {"cooldown", detail::integer_state(cooldown_)}};
}

void ReduceOnPlateau::load_state_dict(const std::vector<NamedTensor>& state) {
  detail::StateReader reader(state);
  const double rate = reader.take_number("rate");
  reader.require(std::isfinite(rate) && rate >= 0.0, "rate", "0 or more", rate);
  const double best = reader.take_number("best");
  reader.require(!std::isnan(best), "best", "a number", best);
  const int64_t without_improvement = reader.take_count("without_improvement");
  const int64_t cooldown = reader.take_count("cooldown");
  reader.finish("ReduceOnPlateau");
  rate_ = rate;
  best_ = best;
  without_improvement_ = without_improvement;
  cooldown_ = cooldown;
}

}  // namespace gradus

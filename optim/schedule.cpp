// SPDX-License-Identifier: MIT
#include <gradus/optim/schedule.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <gradus/optim/state.hpp>
#include <gradus/tensor/error.hpp>

namespace gradus {
namespace {

void check_step(const char* schedule, int64_t step) {
  GRADUS_CHECK(step >= 1, "[", schedule, "] expected step >= 1, got ", step);
}

void check_count(const char* schedule, const char* what, int64_t count) {
  GRADUS_CHECK(count >= 1, "[", schedule, "] expected a number of steps of at least 1 as ", what, ", got ", count);
}

// The rate on half a cosine from `begin` to `end`; done is 0 to 1.
double half_cosine(double begin, double end, double done) {
  return end + (begin - end) * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
}

double ratio(int64_t a, int64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

}  // namespace

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

double ConstantRate::operator()(int64_t step) const {
  check_step("ConstantRate", step);
  detail::check_not_negative("ConstantRate", "a rate", rate);
  return rate;
}

double StepRate::operator()(int64_t step) const {
  check_step("StepRate", step);
  check_count("StepRate", "every", every);
  detail::check_not_negative("StepRate", "a rate", rate);
  detail::check_not_negative("StepRate", "a factor", factor);
  const int64_t reductions = (step - 1) / every;
  return rate * std::pow(factor, static_cast<double>(reductions));
}

double MultiStepRate::operator()(int64_t step) const {
  check_step("MultiStepRate", step);
  detail::check_not_negative("MultiStepRate", "a rate", rate);
  detail::check_not_negative("MultiStepRate", "a factor", factor);
  int64_t changes = 0;
  for (size_t i = 0; i < after.size(); ++i) {
    GRADUS_CHECK(after[i] > (i == 0 ? 0 : after[i - 1]),
                 "[MultiStepRate] expected rising numbers of steps, each at least 1, got ", after[i], " at ", i);
    changes += step > after[i] ? 1 : 0;
  }
  return rate * std::pow(factor, static_cast<double>(changes));
}

double ExponentialRate::operator()(int64_t step) const {
  check_step("ExponentialRate", step);
  detail::check_not_negative("ExponentialRate", "a rate", rate);
  detail::check_not_negative("ExponentialRate", "a factor", factor);
  return rate * std::pow(static_cast<double>(factor), static_cast<double>(step - 1));
}

double CosineRate::operator()(int64_t step) const {
  check_step("CosineRate", step);
  check_count("CosineRate", "total", total);
  detail::check_not_negative("CosineRate", "a peak", peak);
  detail::check_not_negative("CosineRate", "a least rate", least);
  return half_cosine(peak, least, std::min(1.0, ratio(step - 1, total)));
}

double CosineRestarts::operator()(int64_t step) const {
  check_step("CosineRestarts", step);
  check_count("CosineRestarts", "period", period);
  GRADUS_CHECK(growth >= 1, "[CosineRestarts] expected growth >= 1, got ", growth);
  detail::check_not_negative("CosineRestarts", "a peak", peak);
  detail::check_not_negative("CosineRestarts", "a least rate", least);
  double left = static_cast<double>(step - 1), length = static_cast<double>(period);
  if (growth == 1) left = std::fmod(left, length);
  while (left >= length) {
    left -= length;
    length *= static_cast<double>(growth);
  }
  return half_cosine(peak, least, left / length);
}

double LinearWarmup::operator()(int64_t step) const {
  check_step("LinearWarmup", step);
  check_count("LinearWarmup", "warmup", warmup);
  detail::check_not_negative("LinearWarmup", "a peak", peak);
  return step >= warmup ? static_cast<double>(peak) : peak * static_cast<double>(step) / static_cast<double>(warmup);
}

double InverseSquareRoot::operator()(int64_t step) const {
  check_step("InverseSquareRoot", step);
  check_count("InverseSquareRoot", "warmup", warmup);
  detail::check_not_negative("InverseSquareRoot", "a peak", peak);
  return peak * std::min(ratio(step, warmup), std::sqrt(ratio(warmup, step)));
}

double OneCycle::operator()(int64_t step) const {
  check_step("OneCycle", step);
  detail::check_not_negative("OneCycle", "a peak", peak);
  const double steps = static_cast<double>(total);
  GRADUS_CHECK(rise * steps > 1.0 && rise < 1.0,
               "[OneCycle] expected rise < 1, and a rise of more than one step (rise * total > 1), got rise ", rise,
               ", total ", static_cast<int64_t>(total));
  GRADUS_CHECK(start_divisor >= 1.0 && end_divisor >= 1.0, "[OneCycle] expected divisors of at least 1, got ",
               start_divisor, " and ", end_divisor);
  const auto between = [&](double begin, double end, double done) {
    return linear ? begin + (end - begin) * done : half_cosine(begin, end, done);
  };
  const double start = peak / start_divisor;
  const double top = rise * steps - 1.0;  // need not be whole
  const double at = static_cast<double>(step - 1);
  if (at <= top) return between(start, peak, at / top);
  return between(peak, start / end_divisor, std::min(1.0, (at - top) / (steps - 1.0 - top)));
}

void detail::check_chain(int64_t step, int64_t steps) {
  check_step("chain", step);
  GRADUS_CHECK(steps >= 0, "[chain] expected the first schedule to have 0 steps or more, got ", steps);
}

}  // namespace gradus

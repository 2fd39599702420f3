// SPDX-License-Identifier: MIT
// Schedules against PyTorch's schedulers, at their ends, and their refusals.
#include <cmath>

#include <gradus/optim/schedule.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/fixture.hpp"

using namespace gradus;

namespace {

// The largest difference, relative to the largest rate; epoch e is step e + 1.
template <class Schedule>
double error_of_schedule(const Tensor& rates, const Schedule& schedule) {
  double worst = 0.0, largest = 0.0;
  for (int64_t epoch = 0; epoch < rates.size(0); ++epoch) {
    worst = std::max(worst, std::abs(schedule(epoch + 1) - rates.at({epoch})));
    largest = std::max(largest, rates.at({epoch}));
  }
  return worst / largest;
}

double error_of_plateau(const Tensor& values, const Tensor& rates, double sign, double offset,
                        const ReduceOnPlateauOptions& options) {
  ReduceOnPlateau plateau(options);
  double worst = 0.0;
  for (int64_t i = 0; i < values.size(0); ++i) {
    worst = std::max(worst, std::abs(plateau.update(offset + sign * values.at({i})) - rates.at({i})));
  }
  return worst;
}

template <class Action>
std::string schedule_error(const Action& action) {
  try {
    (void)action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("schedules give the rates of PyTorch's schedulers") {
  const tests::Fixture f(GRADUS_FIXTURES "/schedules.safetensors", "");
  constexpr double kBound = 2e-15;  // PyTorch multiplies step by step
  CHECK(error_of_schedule(f("step"), StepRate{.rate = 0.5, .every = 7, .factor = 0.3}) < kBound);
  CHECK(error_of_schedule(f("multi_step"), MultiStepRate{.rate = 0.5, .after = {5, 6, 20}, .factor = 0.4}) < kBound);
  CHECK(error_of_schedule(f("exponential"), ExponentialRate{.rate = 0.5, .factor = 0.9}) < kBound);
  CHECK(error_of_schedule(f("cosine"), CosineRate{.peak = 0.5, .total = 30, .least = 0.01}) < kBound);
  CHECK(error_of_schedule(f("restarts"), CosineRestarts{.peak = 0.5, .period = 7, .least = 0.02}) < kBound);
  CHECK(error_of_schedule(f("restarts_growing"), CosineRestarts{.peak = 0.5, .period = 5, .growth = 2}) < kBound);
  CHECK(error_of_schedule(f("linear_warmup"), LinearWarmup{.peak = 0.5, .warmup = 8}) < kBound);
  CHECK(error_of_schedule(f("inverse_square_root"),
                          InverseSquareRoot{.peak = 1 / std::sqrt(64.0 * 16.0), .warmup = 16}) < kBound);
  CHECK(error_of_schedule(f("one_cycle"), OneCycle{.peak = 0.5, .total = 41}) < kBound);
  CHECK(error_of_schedule(
            f("one_cycle_linear"),
            OneCycle{.peak = 0.4, .total = 31, .rise = 0.45, .start_divisor = 10, .end_divisor = 50, .linear = true}) <
        kBound);
  CHECK(error_of_schedule(f("warm_up_then_step"), warm_up(8, StepRate{.rate = 0.5, .every = 6, .factor = 0.5})) <
        kBound);
}

TEST_CASE("ReduceOnPlateau gives the rates of PyTorch's ReduceLROnPlateau") {
  const tests::Fixture f(GRADUS_FIXTURES "/schedules.safetensors", "");
  const Tensor values = f("plateau.values");
  constexpr double kBound = 1e-15;
  CHECK(error_of_plateau(values, f("plateau.min"), 1, 0, {.rate = 0.5, .factor = 0.5, .patience = 3}) < kBound);
  CHECK(error_of_plateau(values, f("plateau.cooldown"), 1, 0,
                         {.rate = 0.5, .factor = 0.3, .patience = 2, .threshold = 0.01, .cooldown = 4, .least = 0.01}) <
        kBound);
  CHECK(error_of_plateau(values, f("plateau.absolute"), 1, 0,
                         {.rate = 0.5, .factor = 0.5, .patience = 4, .threshold = 0.05, .absolute = true}) < kBound);
  CHECK(error_of_plateau(
            values, f("plateau.max"), -1, 0,
            {.rate = 0.5, .factor = 0.5, .patience = 3, .threshold = 0.01, .absolute = true, .maximize = true}) <
        kBound);
  CHECK(error_of_plateau(values, f("plateau.max_relative"), -1, 3,
                         {.rate = 0.5, .factor = 0.5, .patience = 3, .threshold = 0.01, .maximize = true}) < kBound);
  CHECK(f("plateau.min").at({59}) < 0.1);  // the fixture has reductions
}

TEST_CASE("a plateau that is saved and loaded goes on as if nothing had been") {
  const ReduceOnPlateauOptions options{.rate = 1.0, .factor = 0.5, .patience = 2, .cooldown = 2};
  for (int cut = 0; cut < 14; ++cut) {
    ReduceOnPlateau whole(options), before(options), after(options);
    for (int i = 0; i < 14; ++i) {
      if (i == cut) after.load_state_dict(before.state_dict());
      const double value = i < 3 ? 5.0 - i : 4.0;
      const double rate = whole.update(value);
      CHECK((i < cut ? before : after).update(value) == rate);
    }
    CHECK(after.rate() == 0.25);
    CHECK(after.best() == 3.0);
  }
  ReduceOnPlateau plateau(options);
  std::vector<NamedTensor> state = plateau.state_dict();
  state.pop_back();
  CHECK(schedule_error([&] { return plateau.load_state_dict(state), 0; }) ==
        "[ReduceOnPlateau] the saved state does not fit: missing: cooldown");
  CHECK(schedule_error([&] { return plateau.update(NAN); }) == "[ReduceOnPlateau] expected a number, got nan");
  CHECK(plateau.rate() == 1.0);
}

TEST_CASE("schedules at their ends, and chains") {
  CHECK(ConstantRate{.rate = 0.3}(7) == 0.3);
  CHECK(CosineRate{.peak = 1.0, .total = 4, .least = 0.1}(5) == 0.1);
  CHECK(CosineRate{.peak = 1.0, .total = 4, .least = 0.1}(500) == 0.1);
  CHECK(CosineRestarts{.peak = 1.0, .period = 3, .growth = 10}(int64_t{1} << 60) > 0.0);
  CHECK(CosineRestarts{.peak = 1.0, .period = 3}(4) == 1.0);
  CHECK(OneCycle{.peak = 1.0, .total = 10}(10) == Approx(1.0 / 25 / 1e4).epsilon(1e-12));
  CHECK(OneCycle{.peak = 1.0, .total = 10}(99) == OneCycle{.peak = 1.0, .total = 10}(10));
  CHECK(OneCycle{.peak = 1.0, .total = 10}(3) == 1.0);
  CHECK(InverseSquareRoot{.peak = 1.0, .warmup = 4}(4) == 1.0);
  CHECK(InverseSquareRoot{.peak = 1.0, .warmup = 4}(16) == 0.5);
  CHECK(MultiStepRate{.rate = 1.0}(99) == 1.0);

  const auto schedule = warm_up(4, chain(ConstantRate{.rate = 2.0}, 3, ExponentialRate{.rate = 1.0, .factor = 0.5}));
  const double expected[] = {0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 1.0, 0.5, 0.25};
  for (int64_t step = 1; step <= 10; ++step) CHECK(schedule(step) == expected[step - 1]);
  CHECK(warm_up(0, ConstantRate{.rate = 2.0})(1) == 2.0);
  // A function of the step is a schedule, too.
  const auto cosine = [](int64_t step) { return warmup_cosine(step, {.peak = 1.0, .total = 9}); };
  CHECK(chain(ConstantRate{.rate = 1.0}, 5, cosine)(8) == cosine(3));
}

TEST_CASE("schedules refuse a wrong step, rate, factor or number of steps") {
  const auto error = [](const auto& schedule, int64_t step) { return schedule_error([&] { return schedule(step); }); };
  CHECK(error(ConstantRate{.rate = 1.0}, 0) == "[ConstantRate] expected step >= 1, got 0");
  CHECK(error(ConstantRate{.rate = -1.0}, 1) == "[ConstantRate] expected a rate of 0 or more, got -1");
  CHECK(error(StepRate{.rate = 1.0, .every = 0}, 1) ==
        "[StepRate] expected a number of steps of at least 1 as every, got 0");
  CHECK(error(StepRate{.rate = NAN, .every = 1}, 1) == "[StepRate] expected a rate of 0 or more, got nan");
  CHECK(error(StepRate{.rate = 1.0, .every = 1, .factor = -0.5}, 1) ==
        "[StepRate] expected a factor of 0 or more, got -0.5");
  CHECK(error(MultiStepRate{.rate = 1.0, .after = {5, 5}}, 1) ==
        "[MultiStepRate] expected rising numbers of steps, each at least 1, got 5 at 1");
  CHECK(error(MultiStepRate{.rate = 1.0, .after = {0}}, 1) ==
        "[MultiStepRate] expected rising numbers of steps, each at least 1, got 0 at 0");
  CHECK(error(ExponentialRate{.rate = 1.0, .factor = HUGE_VAL}, 1) ==
        "[ExponentialRate] expected a factor of 0 or more, got inf");
  CHECK(error(CosineRate{.peak = 1.0, .total = 0}, 1) ==
        "[CosineRate] expected a number of steps of at least 1 as total, got 0");
  CHECK(error(CosineRate{.peak = 1.0, .total = 1, .least = -1.0}, 1) ==
        "[CosineRate] expected a least rate of 0 or more, got -1");
  CHECK(error(CosineRestarts{.peak = 1.0, .period = 0}, 1) ==
        "[CosineRestarts] expected a number of steps of at least 1 as period, got 0");
  CHECK(error(CosineRestarts{.peak = 1.0, .period = 2, .growth = 0}, 1) ==
        "[CosineRestarts] expected growth >= 1, got 0");
  CHECK(error(LinearWarmup{.peak = -2.0, .warmup = 3}, 1) == "[LinearWarmup] expected a peak of 0 or more, got -2");
  CHECK(error(InverseSquareRoot{.peak = 1.0, .warmup = 0}, 1) ==
        "[InverseSquareRoot] expected a number of steps of at least 1 as warmup, got 0");
  CHECK(error(OneCycle{.peak = 1.0, .total = 3}, 1) ==
        "[OneCycle] expected rise < 1, and a rise of more than one step (rise * total > 1), got rise 0.3, total 3");
  CHECK(error(OneCycle{.peak = 1.0, .total = 30, .end_divisor = 0.5}, 1) ==
        "[OneCycle] expected divisors of at least 1, got 25 and 0.5");
  CHECK(schedule_error([] { return chain(ConstantRate{.rate = 1.0}, -1, ConstantRate{.rate = 1.0})(1); }) ==
        "[chain] expected the first schedule to have 0 steps or more, got -1");
  CHECK(schedule_error([] { return chain(ConstantRate{.rate = 1.0}, 1, ConstantRate{.rate = 1.0})(0); }) ==
        "[chain] expected step >= 1, got 0");
  CHECK(schedule_error([] { return ReduceOnPlateau({.rate = -1.0}).rate(); }) ==
        "[ReduceOnPlateau] expected a rate of 0 or more, got -1");
  CHECK(schedule_error([] { return ReduceOnPlateau({.rate = 1.0, .factor = 1.0}).rate(); }) ==
        "[ReduceOnPlateau] expected 0 <= factor < 1, got 1");
  CHECK(schedule_error([] { return ReduceOnPlateau({.rate = 1.0, .patience = -1}).rate(); }) ==
        "[ReduceOnPlateau] expected patience >= 0 and cooldown >= 0, got -1 and 0");
}

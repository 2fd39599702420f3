// SPDX-License-Identifier: MIT
// The update of every optimizer against its published rule, in double and one number at a time. Each rule can also be
// wrong in a few ways, which the comparison must notice.
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <gradus/tensor/kernels/optimizer/optimizer.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus {
namespace {

using kernels::kOptimizerStates;
using kernels::OptimizerArrays;
using kernels::OptimizerStep;

struct OneNumber {
  double p;
  double s[kOptimizerStates] = {};
};

struct RuleCase {
  const char* name;
  int states;
  int wrong_ways;
  OptimizerStep (*step)(int t);
  void (*update)(OneNumber& x, double g, int t, int wrong);
};

const RuleCase kRules[] = {
    {"SGD", 0, 2, [](int) { return OptimizerStep{kernels::SgdStep{.lr = 0.1, .weight_decay = 0.2}}; },
     [](OneNumber& x, double g, int, int wrong) {
       g = wrong == 1 ? g - 0.2 * x.p : g + 0.2 * x.p;
       x.p -= wrong == 2 ? 0.1001 * g : 0.1 * g;
     }},
    {"SGD with momentum and dampening", 1, 5,
     [](int t) {
       return OptimizerStep{
           kernels::SgdStep{.lr = 0.1, .momentum = 0.9, .dampening = 0.3, .weight_decay = 0.1, .first_step = t == 1}};
     },
     [](OneNumber& x, double g, int t, int wrong) {
       if (wrong != 1) g += 0.1 * x.p;
       const double share = wrong == 2 ? 1.0 : wrong == 3 ? 0.3 : 0.7;
       x.s[0] = t == 1 && wrong != 4 ? g : 0.9 * x.s[0] + share * g;
       x.p -= 0.1 * (wrong == 5 ? g + 0.9 * x.s[0] : x.s[0]);
     }},
    {"SGD with Nesterov's momentum", 1, 3,
     [](int t) {
       return OptimizerStep{kernels::SgdStep{.lr = 0.1, .momentum = 0.9, .nesterov = true, .first_step = t == 1}};
     },
     [](OneNumber& x, double g, int t, int wrong) {
       const double before = x.s[0];
       x.s[0] = t == 1 ? g : 0.9 * x.s[0] + g;
       const double v = wrong == 1 ? before : x.s[0];
       x.p -= 0.1 * (wrong == 2 ? v : wrong == 3 ? g + v : g + 0.9 * v);
     }},
    {"Adam", 2, 6,
     [](int t) {
       return OptimizerStep{kernels::AdamStep{.lr = 0.05,
                                              .beta1 = 0.8,
                                              .beta2 = 0.95,
                                              .eps = 1e-3,
                                              .weight_decay = 0.1,
                                              .bias_correction1 = 1 - std::pow(0.8, t),
                                              .bias_correction2 = 1 - std::pow(0.95, t)}};
     },
     [](OneNumber& x, double g, int t, int wrong) {
       if (wrong != 1) g += 0.1 * x.p;
       x.s[0] = wrong == 2 ? 0.95 * x.s[0] + 0.05 * g : 0.8 * x.s[0] + 0.2 * g;
       x.s[1] = 0.95 * x.s[1] + (wrong == 3 ? 0.1 : 0.05) * g * g;
       const double m = x.s[0] / (wrong == 4 ? 1 : 1 - std::pow(0.8, t));
       const double v = x.s[1] / (wrong == 5 ? 1 : 1 - std::pow(0.95, t));
       x.p -= 0.05 * m / (wrong == 6 ? std::sqrt(v + 1e-3) : std::sqrt(v) + 1e-3);
     }},
    {"AdamW with amsgrad", 3, 5,
     [](int t) {
       return OptimizerStep{kernels::AdamStep{.lr = 0.05,
                                              .beta1 = 0.8,
                                              .beta2 = 0.6,
                                              .eps = 1e-3,
                                              .weight_decay = 0.1,
                                              .decoupled = true,
                                              .amsgrad = true,
                                              .bias_correction1 = 1 - std::pow(0.8, t),
                                              .bias_correction2 = 1 - std::pow(0.6, t)}};
     },
     [](OneNumber& x, double g, int t, int wrong) {
       x.p *= wrong == 1 ? 1 - 0.1 : 1 - 0.05 * 0.1;
       x.s[0] = 0.8 * x.s[0] + 0.2 * g;
       x.s[1] = 0.6 * (wrong == 2 ? x.s[2] : x.s[1]) + 0.4 * g * g;
       x.s[2] = wrong == 3 ? x.s[1] : std::fmax(x.s[2], x.s[1]);
       const double correction = wrong == 4 ? 1 : 1 - std::pow(0.6, t);
       const double m = x.s[0] / (1 - std::pow(0.8, t)), v = (wrong == 5 ? x.s[1] : x.s[2]) / correction;
       x.p -= 0.05 * m / (std::sqrt(v) + 1e-3);
     }},
    {"NAdam", 2, 5,
     [](int t) {
       return OptimizerStep{kernels::NadamStep{.lr = 0.05,
                                               .beta1 = 0.8,
                                               .beta2 = 0.95,
                                               .eps = 1e-3,
                                               .weight_decay = 0.1,
                                               .gradient_rate = 0.03,
                                               .average_rate = 0.07,
                                               .bias_correction2 = 1 - std::pow(0.95, t)}};
     },
     [](OneNumber& x, double g, int t, int wrong) {
       if (wrong != 1) g += 0.1 * x.p;
       const double before = x.s[0];
       x.s[0] = 0.8 * x.s[0] + 0.2 * g;
       x.s[1] = 0.95 * x.s[1] + 0.05 * g * g;
       const double root = std::sqrt(x.s[1] / (wrong == 2 ? 1 : 1 - std::pow(0.95, t))) + (wrong == 3 ? 0 : 1e-3);
       const double m = wrong == 4 ? before : x.s[0];
       x.p -= (wrong == 5 ? 0.07 * g + 0.03 * m : 0.03 * g + 0.07 * m) / root;
     }},
    {"NAdam with decoupled decay", 2, 2,
     [](int) {
       return OptimizerStep{kernels::NadamStep{.lr = 0.05,
                                               .beta1 = 0.8,
                                               .beta2 = 0.95,
                                               .eps = 1e-3,
                                               .weight_decay = 0.1,
                                               .decoupled = true,
                                               .gradient_rate = 0.03,
                                               .average_rate = 0.07}};
     },
     [](OneNumber& x, double g, int, int wrong) {
       if (wrong == 1) g += 0.1 * x.p;
       if (wrong != 1) x.p *= wrong == 2 ? 1 : 1 - 0.05 * 0.1;
       x.s[0] = 0.8 * x.s[0] + 0.2 * g;
       x.s[1] = 0.95 * x.s[1] + 0.05 * g * g;
       x.p -= (0.03 * g + 0.07 * x.s[0]) / (std::sqrt(x.s[1]) + 1e-3);
     }},
    {"Adagrad", 1, 5,
     [](int t) {
       return OptimizerStep{
           kernels::AdagradStep{.lr = 0.1, .eps = 0.1, .weight_decay = 0.1, .start = 0.5, .first_step = t == 1}};
     },
     [](OneNumber& x, double g, int t, int wrong) {
       if (wrong != 1) g += 0.1 * x.p;
       if (t == 1 && wrong != 2) x.s[0] = 0.5;
       x.s[0] = wrong == 3 ? 0.9 * x.s[0] + g * g : x.s[0] + g * g;
       const double root = wrong == 4 ? std::sqrt(x.s[0] + 0.1) : std::sqrt(x.s[0]) + 0.1;
       x.p -= 0.1 * (wrong == 5 ? x.p : g) / root;
     }},
    {"Adadelta", 2, 6,
     [](int) { return OptimizerStep{kernels::AdadeltaStep{.lr = 0.7, .rho = 0.8, .eps = 1e-2, .weight_decay = 0.1}}; },
     [](OneNumber& x, double g, int, int wrong) {
       if (wrong != 1) g += 0.1 * x.p;
       const double rest = wrong == 2 ? 1.0 : 0.2;
       x.s[0] = 0.8 * x.s[0] + rest * g * g;
       const double above = wrong == 3 ? std::sqrt(x.s[1]) + 1e-2 : std::sqrt(x.s[1] + 1e-2);
       const double below = wrong == 4 ? std::sqrt(x.s[0]) + 1e-2 : std::sqrt(x.s[0] + 1e-2);
       const double change = above / below * g;
       x.s[1] = 0.8 * x.s[1] + 0.2 * (wrong == 5 ? 0.49 : 1.0) * change * change;
       x.p -= (wrong == 6 ? 1.0 : 0.7) * change;
     }},
    {"RMSprop", 1, 3,
     [](int) {
       return OptimizerStep{kernels::RmsPropStep{.lr = 0.05, .alpha = 0.9, .eps = 1e-2, .weight_decay = 0.1}};
     },
     [](OneNumber& x, double g, int, int wrong) {
       if (wrong != 1) g += 0.1 * x.p;
       x.s[0] = 0.9 * x.s[0] + (wrong == 2 ? 1.0 : 0.1) * g * g;
       x.p -= 0.05 * g / (wrong == 3 ? std::sqrt(x.s[0] + 1e-2) : std::sqrt(x.s[0]) + 1e-2);
     }},
    {"RMSprop, centered", 2, 3,
     [](int) { return OptimizerStep{kernels::RmsPropStep{.lr = 0.05, .alpha = 0.7, .eps = 0.2, .centered = true}}; },
     [](OneNumber& x, double g, int, int wrong) {
       x.s[0] = 0.7 * x.s[0] + 0.3 * g * g;
       x.s[1] = 0.7 * x.s[1] + (wrong == 1 ? 1.0 : 0.3) * g;
       const double variance = wrong == 2 ? x.s[0] : x.s[0] - x.s[1] * x.s[1];
       x.p -= 0.05 * (wrong == 3 ? x.s[1] : g) / (std::sqrt(std::fabs(variance)) + 0.2);
     }},
    {"RMSprop with momentum", 2, 2,
     [](int) { return OptimizerStep{kernels::RmsPropStep{.lr = 0.05, .alpha = 0.9, .eps = 1e-2, .momentum = 0.6}}; },
     [](OneNumber& x, double g, int, int wrong) {
       x.s[0] = 0.9 * x.s[0] + 0.1 * g * g;
       x.s[1] = 0.6 * x.s[1] + (wrong == 1 ? 0.4 : 1.0) * g / (std::sqrt(x.s[0]) + 1e-2);
       x.p -= 0.05 * (wrong == 2 ? g : x.s[1]);
     }},
    {"RMSprop, centered, with momentum", 3, 1,
     [](int) {
       return OptimizerStep{
           kernels::RmsPropStep{.lr = 0.05, .alpha = 0.7, .eps = 0.2, .momentum = 0.6, .centered = true}};
     },
     [](OneNumber& x, double g, int, int wrong) {
       x.s[0] = 0.7 * x.s[0] + 0.3 * g * g;
       x.s[1] = 0.7 * x.s[1] + 0.3 * g;
       const double now = g / (std::sqrt(x.s[0] - x.s[1] * x.s[1]) + 0.2);
       x.s[2] = 0.6 * (wrong == 1 ? x.s[1] : x.s[2]) + now;
       x.p -= 0.05 * x.s[2];
     }},
    {"Lion", 1, 5,
     [](int) { return OptimizerStep{kernels::LionStep{.lr = 0.05, .beta1 = 0.8, .beta2 = 0.6, .weight_decay = 0.1}}; },
     [](OneNumber& x, double g, int, int wrong) {
       const double c = wrong == 1 ? 0.6 * x.s[0] + 0.4 * g : 0.8 * x.s[0] + 0.2 * g;
       const double sign = c > 0 ? 1.0 : c < 0 ? -1.0 : 0.0;
       x.p -= 0.05 * ((wrong == 2 ? c : sign) + (wrong == 3 ? 0.0 : 0.1 * x.p));
       x.s[0] = wrong == 4 ? c : 0.6 * x.s[0] + (wrong == 5 ? 1.0 : 0.4) * g;
     }},
    {"average", 0, 2, [](int t) { return OptimizerStep{kernels::AverageStep{.weight = 1.0 / t}}; },
     [](OneNumber& x, double g, int t, int wrong) {
       const double w = wrong == 1 ? 1.0 / (t + 1) : 1.0 / t;
       x.p = wrong == 2 ? w * x.p + (1 - w) * g : (1 - w) * x.p + w * g;
     }},
};

constexpr int kSteps = 6;

// Runs both sides on the same random gradients; the largest difference of a parameter or a state.
template <class T>
double difference_from_rule(const RuleCase& rule, int64_t n, uint64_t seed, int wrong) {
  tests::RandomNumbers random(seed);
  auto p = random.uniform<T>(n + 1, 2.0);
  // Rules with a first step do not read the state then.
  std::vector<T> states[kOptimizerStates];
  for (auto& state : states) state.assign(p.size(), T{0});
  std::vector<OneNumber> want;
  for (const T value : p) want.push_back({static_cast<double>(value)});
  for (int t = 1; t <= kSteps; ++t) {
    const auto g = random.uniform<T>(n);
    OptimizerArrays<T> x{.param = p.data() + 1, .grad = g.data(), .n = n};
    for (int k = 0; k < rule.states; ++k) x.state[k] = states[k].data() + 1;
    kernels::optimizer_update(rule.step(t), x);
    for (size_t i = 0; i < g.size(); ++i) rule.update(want[i + 1], static_cast<double>(g[i]), t, wrong);
  }
  double worst = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    worst = std::fmax(worst, std::fabs(static_cast<double>(p[i]) - want[i].p));
    for (int k = 0; k < rule.states; ++k) {
      worst = std::fmax(worst, std::fabs(static_cast<double>(states[k][i]) - want[i].s[k]));
    }
  }
  return worst;
}

/// Eight units in the last place of 1 for each step; measured over four seeds: at most 1.1.
template <class T>
double tolerance() {
  return 8 * kSteps * static_cast<double>(std::numeric_limits<T>::epsilon());
}

TEMPLATE_TEST_CASE("each optimizer's kernel follows its published rule for several steps", "", float, double) {
  const uint64_t seed = tests::seed(31);
  INFO("seed " << seed);
  for (const RuleCase& rule : kRules) {
    for (const int64_t n : {0, 1, 3, 7, 15, 16, 17, 33, 100}) {
      INFO(rule.name << ", n = " << n);
      CHECK(difference_from_rule<TestType>(rule, n, seed, 0) <= tolerance<TestType>());
    }
  }
}

TEST_CASE("each error that is planted in a rule shows in that comparison") {
  const uint64_t seed = tests::seed(32);
  INFO("seed " << seed);
  int planted = 0;
  for (const RuleCase& rule : kRules) {
    for (int wrong = 1; wrong <= rule.wrong_ways; ++wrong) {
      INFO(rule.name << ", error " << wrong);
      CHECK(difference_from_rule<float>(rule, 17, seed, wrong) > 20 * tolerance<float>());
      ++planted;
    }
  }
  CHECK(planted == 55);
}

TEST_CASE("the first step of Adam has the size of the learning rate, whatever the gradient's") {
  const OptimizerStep step{
      kernels::AdamStep{.lr = 0.01, .eps = 0, .bias_correction1 = 1 - 0.9, .bias_correction2 = 1 - 0.999}};
  std::vector<double> p{1, 1, 1}, m(3), v(3);
  const std::vector<double> g{1e-6, -5, 1e6};
  kernels::optimizer_update<double>(step, {.param = p.data(), .grad = g.data(), .state = {m.data(), v.data()}, .n = 3});
  CHECK(p[0] == Approx(0.99).epsilon(1e-12));
  CHECK(p[1] == Approx(1.01).epsilon(1e-12));
  CHECK(p[2] == Approx(0.99).epsilon(1e-12));
}

TEST_CASE("first steps read no state, Lion's sign of 0 is 0 and of NaN is NaN, a negative variance counts as 0") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> p{1, 2, 3}, state(3, nan);
  const std::vector<double> g{0.5, 0.25, -1};
  const OptimizerArrays<double> x{.param = p.data(), .grad = g.data(), .state = {state.data()}, .n = 3};
  kernels::optimizer_update({kernels::SgdStep{.lr = 0.5, .momentum = 0.9, .first_step = true}}, x);
  CHECK(p == std::vector<double>{0.75, 1.875, 3.5});
  CHECK(state == g);
  state.assign(3, nan);
  kernels::optimizer_update({kernels::AdagradStep{.lr = 0.5, .eps = 0, .first_step = true}}, x);
  CHECK(p == std::vector<double>{0.25, 1.375, 4.0});

  std::vector<double> q{1, 1, 1}, m(3);
  const std::vector<double> h{0.0, nan, -1e-300};
  kernels::optimizer_update<double>({kernels::LionStep{.lr = 0.5}},
                                    {.param = q.data(), .grad = h.data(), .state = {m.data()}, .n = 3});
  CHECK(q[0] == 1.0);
  CHECK(std::isnan(q[1]));
  CHECK(q[2] == 1.5);

  // The same gradient again and again: v - a^2 tends to 0, from either side.
  for (const double gradient : {0.1, 0.3, 0.7, 1.1}) {
    double r = 0, v = 0, a = 0;
    for (int t = 0; t < 300; ++t) {
      kernels::optimizer_update<double>({kernels::RmsPropStep{.lr = 1e-4, .alpha = 0.5, .eps = 1.0, .centered = true}},
                                        {.param = &r, .grad = &gradient, .state = {&v, &a}, .n = 1});
    }
    CHECK(r == Approx(-0.03 * gradient).epsilon(0.05));
  }
}

TEMPLATE_TEST_CASE("an updated parameter depends neither on its position nor on the number of others", "", float,
                   double) {
  const uint64_t seed = tests::seed(33);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  const int64_t n = 37;
  const auto p0 = random.uniform<TestType>(n), g = random.uniform<TestType>(n);
  auto state0 = random.uniform<TestType>(n);
  for (TestType& value : state0) value += TestType{1};  // mean squares are positive
  for (const RuleCase& rule : kRules) {
    INFO(rule.name);
    auto p = p0, first = state0, second = state0, third = state0;
    kernels::optimizer_update<TestType>(rule.step(2),
                                        {p.data(), g.data(), {first.data(), second.data(), third.data()}, n});
    size_t different = 0;
    for (size_t i = 0; i < p.size(); ++i) {
      TestType one_p = p0[i], a = state0[i], b = state0[i], c = state0[i];
      kernels::optimizer_update<TestType>(rule.step(2), {&one_p, &g[i], {&a, &b, &c}, 1});
      const bool same = std::isfinite(p[i]) && one_p == p[i] && a == first[i] && b == second[i] && c == third[i];
      different += same ? 0 : 1;
    }
    CHECK(different == 0);
  }
}

}  // namespace
}  // namespace gradus

// SPDX-License-Identifier: MIT
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

using kernels::AdamStep;
using kernels::SgdStep;

const int64_t kSizes[] = {0, 1, 3, 7, 15, 16, 17, 33, 100};

// The references below are Kingma and Ba's Algorithm 1 and PyTorch's documented SGD, in double, one parameter at a
// time.

struct AdamState {
  double p, m = 0, v = 0;
};

void naive_adam(AdamState& s, double g, const AdamStep& step) {
  if (step.decoupled) {
    s.p -= step.lr * step.weight_decay * s.p;
  } else {
    g += step.weight_decay * s.p;
  }
  s.m = step.beta1 * s.m + (1 - step.beta1) * g;
  s.v = step.beta2 * s.v + (1 - step.beta2) * g * g;
  const double m_hat = s.m / step.bias_correction1, v_hat = s.v / step.bias_correction2;
  s.p -= step.lr * m_hat / (std::sqrt(v_hat) + step.eps);
}

struct SgdState {
  double p, velocity = 0;
};

void naive_sgd(SgdState& s, double g, const SgdStep& step) {
  g += step.weight_decay * s.p;
  if (step.momentum != 0) {
    s.velocity = step.first_step ? g : step.momentum * s.velocity + g;
    g = step.nesterov ? g + step.momentum * s.velocity : s.velocity;
  }
  s.p -= step.lr * g;
}

/// Four units in the last place of 1 for each step; measured: at most 0.8.
template <class T>
double tolerance(int steps) {
  return 4 * steps * static_cast<double>(std::numeric_limits<T>::epsilon());
}

TEMPLATE_TEST_CASE("Adam and AdamW follow the published algorithm for several steps", "", float, double) {
  const uint64_t seed = tests::seed(31);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  constexpr int kSteps = 6;
  for (const int64_t n : kSizes) {
    for (const bool decoupled : {false, true}) {
      AdamStep step{.lr = 0.05, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-3, .weight_decay = 0.1, .decoupled = decoupled};
      auto p = random.uniform<TestType>(n + 1, 2.0);
      std::vector<TestType> m(p.size()), v(p.size());
      std::vector<AdamState> want;
      for (const TestType value : p) want.push_back({static_cast<double>(value)});
      for (int t = 1; t <= kSteps; ++t) {
        step.bias_correction1 = 1 - std::pow(step.beta1, t);
        step.bias_correction2 = 1 - std::pow(step.beta2, t);
        const auto g = random.uniform<TestType>(n);
        kernels::adam_update(p.data() + 1, g.data(), m.data() + 1, v.data() + 1, n, step);
        for (size_t i = 0; i < g.size(); ++i) naive_adam(want[i + 1], static_cast<double>(g[i]), step);
      }
      double worst = 0;
      for (size_t i = 0; i < p.size(); ++i) {
        worst = std::fmax(worst, std::fabs(static_cast<double>(p[i]) - want[i].p));
        worst = std::fmax(worst, std::fabs(static_cast<double>(m[i]) - want[i].m));
        worst = std::fmax(worst, std::fabs(static_cast<double>(v[i]) - want[i].v));
      }
      INFO("n = " << n << ", decoupled " << decoupled);
      CHECK(worst <= tolerance<TestType>(kSteps));
    }
  }
}

TEST_CASE("the first step of Adam has the size of the learning rate, whatever the gradient's") {
  const AdamStep step{.lr = 0.01, .eps = 0, .bias_correction1 = 1 - 0.9, .bias_correction2 = 1 - 0.999};
  std::vector<double> p{1, 1, 1}, m(3), v(3);
  const std::vector<double> g{1e-6, -5, 1e6};
  kernels::adam_update(p.data(), g.data(), m.data(), v.data(), 3, step);
  CHECK(p[0] == Approx(0.99).epsilon(1e-12));
  CHECK(p[1] == Approx(1.01).epsilon(1e-12));
  CHECK(p[2] == Approx(0.99).epsilon(1e-12));
}

TEMPLATE_TEST_CASE("SGD follows PyTorch's definition with momentum, decay and Nesterov's variant", "", float, double) {
  const uint64_t seed = tests::seed(32);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  constexpr int kSteps = 5;
  const SgdStep variants[] = {
      {.lr = 0.1},
      {.lr = 0.1, .weight_decay = 0.2},
      {.lr = 0.1, .momentum = 0.9},
      {.lr = 0.1, .momentum = 0.7, .weight_decay = 0.1},
      {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true},
  };
  for (const int64_t n : kSizes) {
    for (SgdStep step : variants) {
      auto p = random.uniform<TestType>(n + 1, 2.0);
      // The first step must not read the velocity.
      std::vector<TestType> velocity(p.size(), std::numeric_limits<TestType>::quiet_NaN());
      std::vector<SgdState> want;
      for (const TestType value : p) want.push_back({static_cast<double>(value)});
      for (int t = 0; t < kSteps; ++t) {
        step.first_step = t == 0;
        const auto g = random.uniform<TestType>(n);
        TestType* state = step.momentum == 0 ? nullptr : velocity.data() + 1;
        kernels::sgd_update(p.data() + 1, g.data(), state, n, step);
        for (size_t i = 0; i < g.size(); ++i) naive_sgd(want[i + 1], static_cast<double>(g[i]), step);
      }
      size_t wrong = 0;
      for (size_t i = 0; i < p.size(); ++i) {
        wrong += std::fabs(static_cast<double>(p[i]) - want[i].p) <= tolerance<TestType>(kSteps) ? 0u : 1u;
      }
      INFO("n = " << n << ", momentum " << step.momentum << ", nesterov " << step.nesterov);
      CHECK(wrong == 0);
    }
  }
}

TEMPLATE_TEST_CASE("an updated parameter does not depend on its position", "", float, double) {
  const uint64_t seed = tests::seed(33);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  const int64_t n = 37;
  const auto p0 = random.uniform<TestType>(n), g = random.uniform<TestType>(n), m0 = random.uniform<TestType>(n);
  const AdamStep adam{.lr = 0.05, .weight_decay = 0.1, .bias_correction1 = 0.3, .bias_correction2 = 0.2};
  const SgdStep sgd{.lr = 0.1, .momentum = 0.9, .nesterov = true};
  auto p = p0, m = m0, velocity = m0, q = p0;
  std::vector<TestType> v(p.size(), TestType{0.5});
  kernels::adam_update(p.data(), g.data(), m.data(), v.data(), n, adam);
  kernels::sgd_update(q.data(), g.data(), velocity.data(), n, sgd);
  size_t different = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    TestType one_p = p0[i], one_m = m0[i], one_v{0.5}, one_q = p0[i], one_velocity = m0[i];
    kernels::adam_update(&one_p, &g[i], &one_m, &one_v, 1, adam);
    kernels::sgd_update(&one_q, &g[i], &one_velocity, 1, sgd);
    different += one_p != p[i] || one_m != m[i] || one_v != v[i] || one_q != q[i] || one_velocity != velocity[i];
  }
  CHECK(different == 0);
}

}  // namespace
}  // namespace gradus

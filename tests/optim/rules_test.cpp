// SPDX-License-Identifier: MIT
// The rules besides Adam's and SGD's against scalar code from their papers, exact resume, and wrong options.
#include <cmath>
#include <memory>

#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/optim/problem.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using tests::check_resume;
using tests::error_of;
using tests::Problem;

namespace {

using Parameters = std::vector<NamedParameter>;

// Holds an optimizer to the scalar update for 20 steps, in both dtypes.
template <class Make, class Update>
void check_rule(const Make& make, const Update& update, double f64_bound, double f32_bound) {
  const uint64_t seed = tests::seed(74);
  INFO("seed " << seed);
  Problem wide(seed);
  auto optimizer = make(wide.parameters());
  CHECK(tests::error_after(20, wide, optimizer, update) < f64_bound);
  Problem single(seed, DType::f32);
  auto optimizer32 = make(single.parameters());
  CHECK(tests::error_after(20, single, optimizer32, update) < f32_bound);
}

}  // namespace

// The bounds are about ten times what was measured over four seeds.

TEST_CASE("AMSGrad divides by the largest second moment") {
  const AdamOptions o{.learning_rate = 0.02, .beta1 = 0.8, .beta2 = 0.6, .eps = 1e-6, .amsgrad = true};
  double largest[tests::kCount] = {};
  int64_t at = 0;
  const auto update = [&](double& p, double g, double& m, double& v, int t) {
    double& u = largest[at++ % tests::kCount];
    if (t == 1) u = 0.0;
    m = o.beta1 * m + (1 - o.beta1) * g;
    v = o.beta2 * v + (1 - o.beta2) * g * g;
    u = std::max(u, v);
    const double m_hat = m / (1 - std::pow(o.beta1, t));
    p -= o.learning_rate * m_hat / (std::sqrt(u / (1 - std::pow(o.beta2, t))) + o.eps);
  };
  check_rule([&](const Parameters& p) { return Adam(p, o); }, update, 2e-14, 5e-6);
}

TEST_CASE("SGD's dampening spares the first gradient") {
  const SgdOptions o{.learning_rate = 0.05, .momentum = 0.9, .dampening = 0.4, .weight_decay = 0.2};
  const auto update = [&](double& p, double g, double& v, double&, int t) {
    g += o.weight_decay * p;
    v = t == 1 ? g : o.momentum * v + (1 - o.dampening) * g;
    p -= o.learning_rate * v;
  };
  check_rule([&](const Parameters& p) { return Sgd(p, o); }, update, 2e-14, 1e-5);
}

TEST_CASE("NAdam equals its rule") {
  for (const double decay : {0.0, 4e-3, 0.5}) {
    const NAdamOptions o{.learning_rate = 0.02, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .momentum_decay = decay};
    const auto mu = [&](int t) { return o.beta1 * (1 - 0.5 * std::pow(0.96, t * o.momentum_decay)); };
    const auto update = [&](double& p, double g, double& m, double& v, int t) {
      m = o.beta1 * m + (1 - o.beta1) * g;
      v = o.beta2 * v + (1 - o.beta2) * g * g;
      double product = 1.0;
      for (int i = 1; i <= t; ++i) product *= mu(i);
      const double m_hat = (1 - mu(t)) / (1 - product) * g + mu(t + 1) / (1 - product * mu(t + 1)) * m;
      p -= o.learning_rate * m_hat / (std::sqrt(v / (1 - std::pow(o.beta2, t))) + o.eps);
    };
    check_rule([&](const Parameters& p) { return NAdam(p, o); }, update, 2e-14, 1e-5);
  }
}

TEST_CASE("Adagrad equals its rule") {
  const AdagradOptions o{.learning_rate = 0.1, .rate_decay = 0.2, .eps = 1e-6, .weight_decay = 0.1, .initial_sum = 0.3};
  const auto update = [&](double& p, double g, double& sum, double&, int t) {
    g += o.weight_decay * p;
    sum += g * g + (t == 1 ? o.initial_sum : 0.0);
    p -= o.learning_rate / (1 + (t - 1) * o.rate_decay) * g / (std::sqrt(sum) + o.eps);
  };
  check_rule([&](const Parameters& p) { return Adagrad(p, o); }, update, 2e-14, 5e-6);
}

TEST_CASE("Adadelta equals algorithm 1 of its paper") {
  const AdadeltaOptions o{.learning_rate = 1.0, .rho = 0.8, .eps = 1e-3, .weight_decay = 0.1};
  const auto update = [&](double& p, double g, double& squares, double& changes, int) {
    g += o.weight_decay * p;
    squares = o.rho * squares + (1 - o.rho) * g * g;
    const double change = -std::sqrt(changes + o.eps) / std::sqrt(squares + o.eps) * g;
    changes = o.rho * changes + (1 - o.rho) * change * change;
    p += o.learning_rate * change;
  };
  check_rule([&](const Parameters& p) { return Adadelta(p, o); }, update, 2e-14, 1e-5);
}

TEST_CASE("RMSprop equals its rule, plain, centered and with momentum") {
  const RmsPropOptions plain{.learning_rate = 0.02, .alpha = 0.9, .eps = 1e-3, .weight_decay = 0.1};
  const auto of_squares = [&](double& p, double g, double& v, double&, int) {
    g += plain.weight_decay * p;
    v = plain.alpha * v + (1 - plain.alpha) * g * g;
    p -= plain.learning_rate * g / (std::sqrt(v) + plain.eps);
  };
  check_rule([&](const Parameters& p) { return RmsProp(p, plain); }, of_squares, 5e-14, 2e-5);
  const RmsPropOptions centered{.learning_rate = 0.02, .alpha = 0.7, .eps = 0.1, .centered = true};
  const auto of_variance = [&](double& p, double g, double& v, double& mean, int) {
    v = centered.alpha * v + (1 - centered.alpha) * g * g;
    mean = centered.alpha * mean + (1 - centered.alpha) * g;
    p -= centered.learning_rate * g / (std::sqrt(v - mean * mean) + centered.eps);
  };
  check_rule([&](const Parameters& p) { return RmsProp(p, centered); }, of_variance, 5e-14, 2e-5);
  const RmsPropOptions heavy{.learning_rate = 0.02, .alpha = 0.9, .eps = 1e-3, .momentum = 0.8};
  const auto with_momentum = [&](double& p, double g, double& v, double& velocity, int) {
    v = heavy.alpha * v + (1 - heavy.alpha) * g * g;
    velocity = heavy.momentum * velocity + g / (std::sqrt(v) + heavy.eps);
    p -= heavy.learning_rate * velocity;
  };
  check_rule([&](const Parameters& p) { return RmsProp(p, heavy); }, with_momentum, 5e-14, 2e-5);
}

TEST_CASE("Lion equals algorithm 2 of its paper") {
  const LionOptions o{.learning_rate = 0.02, .beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.3};
  const auto update = [&](double& p, double g, double& m, double&, int) {
    const double c = o.beta1 * m + (1 - o.beta1) * g;
    const double sign = c > 0 ? 1.0 : c < 0 ? -1.0 : 0.0;
    p -= o.learning_rate * (sign + o.weight_decay * p);
    m = o.beta2 * m + (1 - o.beta2) * g;
  };
  check_rule([&](const Parameters& p) { return Lion(p, o); }, update, 2e-14, 5e-6);
}

TEST_CASE("every rule that is resumed from its saved state goes on bit by bit") {
  const uint64_t seed = tests::seed(75);
  INFO("seed " << seed);
  for (const DType dtype : {DType::f32, DType::f64}) {
    check_resume(seed, dtype, [](const Parameters& p) { return Adam(p, {.beta2 = 0.7, .amsgrad = true}); });
    check_resume(seed, dtype, [](const Parameters& p) { return NAdam(p); });
    check_resume(seed, dtype, [](const Parameters& p) { return Adagrad(p, {.rate_decay = 0.1, .initial_sum = 0.1}); });
    check_resume(seed, dtype, [](const Parameters& p) { return Adadelta(p); });
    check_resume(seed, dtype, [](const Parameters& p) { return RmsProp(p, {.momentum = 0.5, .centered = true}); });
    check_resume(seed, dtype, [](const Parameters& p) { return Lion(p); });
    check_resume(seed, dtype, [](const Parameters& p) {
      return AdamW(p, {.groups = {{.names = {"*second"}, .rate_scale = 3.0, .weight_decay = 0.0}}});
    });
  }
}

TEST_CASE("NAdam's product of momenta is right for parameters of different age, and in a long run") {
  Parameter old(zeros({1}, {.dtype = DType::f64})), young(zeros({1}, {.dtype = DType::f64}));
  Parameter alone(zeros({1}, {.dtype = DType::f64}));
  NAdam both({{"old", &old}, {"young", &young}}, {.beta1 = 0.5});
  NAdam one({{"alone", &alone}}, {.beta1 = 0.5});
  const Tensor gradient = ones({1}, {.dtype = DType::f64});
  for (int t = 0; t < 400; ++t) {
    old.set_grad_(gradient);
    young.set_grad_(t >= 390 ? gradient : Tensor());
    both.step();
    alone.set_grad_(gradient);
    if (t >= 390) one.step();
  }
  CHECK(bitwise_equal(young.value(), alone.value()));
  CHECK(old.value().at({0}) == Approx(-400 * 2e-3).epsilon(0.01));
}

TEST_CASE("a step on many parameters at once gives each the bits that it gets alone, on any number of threads") {
  const uint64_t seed = tests::seed(76);
  INFO("seed " << seed);
  detail::RandomTensors random(seed);
  std::vector<std::unique_ptr<Parameter>> together, apart;
  std::vector<NamedParameter> all;
  for (const int64_t size : {5, 40000, 0, 1, 70000, 33}) {
    const Tensor start = random.floating({size}, size == 33 ? DType::f64 : DType::f32);
    const Tensor gradient = random.floating({size}, start.dtype());
    for (auto* list : {&together, &apart}) {
      list->push_back(std::make_unique<Parameter>(start));
      list->back()->set_grad_(gradient);
    }
    all.push_back({"p" + std::to_string(size), together.back().get()});
  }
  AdamW adamw(all);
  {
    const detail::ThreadCountScope threads(2);
    adamw.step();
  }
  for (size_t i = 0; i < all.size(); ++i) {
    AdamW single({{"p", apart[i].get()}});
    single.step();
    INFO(all[i].name);
    CHECK(bitwise_equal(together[i]->value(), apart[i]->value()));
  }
}

TEST_CASE("wrong options of the rules are refused in their own names") {
  Problem problem(6);
  const Parameters p = problem.parameters();
  CHECK(error_of([&] { return Sgd(p, {.learning_rate = 0.1, .momentum = 0.9, .dampening = 1.5}); }) ==
        "[sgd] expected 0 <= dampening <= 1, got 1.5");
  CHECK(error_of([&] { return Sgd(p, {.learning_rate = 0.1, .dampening = 0.5}); }) ==
        "[sgd] dampening needs a momentum");
  CHECK(error_of([&] { return Sgd(p, {.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.5, .nesterov = true}); }) ==
        "[sgd] nesterov needs a momentum and no dampening");
  CHECK(error_of([&] { return NAdam(p, {.beta1 = -0.1}); }) == "[nadam] expected 0 <= beta1 < 1, got -0.1");
  CHECK(error_of([&] { return NAdam(p, {.momentum_decay = NAN}); }) ==
        "[nadam] expected a momentum_decay of 0 or more, got nan");
  CHECK(error_of([&] { return Adagrad(p, {.rate_decay = -1.0}); }) ==
        "[adagrad] expected a rate_decay of 0 or more, got -1");
  CHECK(error_of([&] { return Adagrad(p, {.initial_sum = -1.0}); }) ==
        "[adagrad] expected an initial_sum of 0 or more, got -1");
  CHECK(error_of([&] { return Adadelta(p, {.rho = 1.0}); }) == "[adadelta] expected 0 <= rho < 1, got 1");
  CHECK(error_of([&] { return Adadelta(p, {.eps = 0.0}); }) == "[adadelta] expected eps > 0, got 0");
  CHECK(error_of([&] { return RmsProp(p, {.alpha = 1.0}); }) == "[rms_prop] expected 0 <= alpha < 1, got 1");
  CHECK(error_of([&] { return RmsProp(p, {.momentum = -1.0}); }) == "[rms_prop] expected 0 <= momentum < 1, got -1");
  CHECK(error_of([&] { return Lion(p, {.beta2 = 2.0}); }) == "[lion] expected 0 <= beta2 < 1, got 2");
  CHECK(error_of([&] { return Lion(p, {.weight_decay = HUGE_VAL}); }) ==
        "[lion] expected a weight_decay of 0 or more, got inf");
}

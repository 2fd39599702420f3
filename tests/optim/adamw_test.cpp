// SPDX-License-Identifier: MIT
// AdamW: against its paper, against PyTorch, and how it differs from Adam.
#include <cmath>
#include <string>
#include <vector>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/optim/optimizer.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/fixture.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

constexpr int64_t kNumbers = 37;  // no multiple of a vector

// Algorithm 2 of the paper for one number. `schedule` is its eta_t.
struct PaperAdamW {
  double alpha, beta1, beta2, eps, lambda;
  double theta, m = 0.0, v = 0.0;
  int t = 0;
  void update(double g, double schedule) {
    ++t;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    const double m_hat = m / (1 - std::pow(beta1, t));
    const double v_hat = v / (1 - std::pow(beta2, t));
    theta -= schedule * (alpha * m_hat / (std::sqrt(v_hat) + eps) + lambda * theta);
  }
};

// The largest difference between AdamW and the paper after 30 steps under a schedule.
double error_against_paper(uint64_t seed, DType dtype, double decay) {
  detail::RandomTensors random(seed);
  Parameter p(random.floating({kNumbers}, dtype));
  const AdamWOptions o{.learning_rate = 0.02, .beta1 = 0.8, .beta2 = 0.99, .eps = 1e-6, .weight_decay = decay};
  AdamW adamw({{"p", &p}}, o);
  std::vector<PaperAdamW> paper;
  for (int64_t i = 0; i < kNumbers; ++i) {
    paper.push_back({.alpha = o.learning_rate,
                     .beta1 = o.beta1,
                     .beta2 = o.beta2,
                     .eps = o.eps,
                     .lambda = o.learning_rate * o.weight_decay,
                     .theta = p.value().at({i})});
  }
  for (int step = 1; step <= 30; ++step) {
    const double schedule = 1.0 - 0.03 * step;
    p.set_grad_(random.floating({kNumbers}, dtype));
    adamw.set_learning_rate(schedule * o.learning_rate);
    for (int64_t i = 0; i < kNumbers; ++i) paper[static_cast<size_t>(i)].update(p.grad().at({i}), schedule);
    adamw.step();
  }
  double worst = 0.0;
  for (int64_t i = 0; i < kNumbers; ++i) {
    worst = std::max(worst, std::abs(p.value().at({i}) - paper[static_cast<size_t>(i)].theta));
  }
  return worst;
}

}  // namespace

TEST_CASE("AdamW equals algorithm 2 of its paper for 30 steps under a schedule") {
  const uint64_t seed = tests::seed(81);
  INFO("seed " << seed);
  for (const double decay : {0.0, 0.3}) {
    CHECK(error_against_paper(seed, DType::f64, decay) < 1e-14);
    CHECK(error_against_paper(seed, DType::f32, decay) < 5e-6);
  }
}

TEST_CASE("AdamW equals PyTorch's over 50 steps with changing rates") {
  const tests::Fixture fixture(GRADUS_FIXTURES "/adamw.safetensors", "");
  const Tensor options = fixture("options");
  const Tensor rates = fixture("rates");
  const struct {
    DType dtype;
    double tolerance;
  } cases[] = {{DType::f64, 1e-14}, {DType::f32, 2e-6}};
  for (const auto& c : cases) {
    Parameter first(fixture("first.start").to(c.dtype));
    Parameter second(fixture("second.start").to(c.dtype));
    AdamW adamw(
        {{"first", &first}, {"second", &second}},
        {.beta1 = options.at({0}), .beta2 = options.at({1}), .eps = options.at({2}), .weight_decay = options.at({3})});
    int compared = 0;
    for (int64_t step = 0; step < rates.size(0); ++step) {
      first.set_grad_(fixture("first.gradients").select(0, step).to(c.dtype));
      second.set_grad_(fixture("second.gradients").select(0, step).to(c.dtype));
      adamw.set_learning_rate(rates.at({step}));
      adamw.step();
      const std::string after = ".after." + std::to_string(step + 1);
      if (!fixture.has("first" + after)) continue;
      ++compared;
      INFO(dtype_name(c.dtype) << after);
      CHECK(tests::relative_error(first.value().to(DType::f64), fixture("first" + after)) < c.tolerance);
      CHECK(tests::relative_error(second.value().to(DType::f64), fixture("second" + after)) < c.tolerance);
    }
    CHECK(compared == 3);
  }
}

TEST_CASE("AdamW decays a parameter apart from the gradient, and without decay it is Adam") {
  const uint64_t seed = tests::seed(82);
  INFO("seed " << seed);
  detail::RandomTensors random(seed);
  const Tensor start = random.floating({kNumbers}, DType::f64);
  const Tensor gradient = random.floating({kNumbers}, DType::f64);
  const auto stepped = [&](auto make, const Tensor& g) {
    Parameter p(start);
    auto optimizer = make(std::vector<NamedParameter>{{"p", &p}});
    p.set_grad_(g);
    optimizer.step();
    return p.value().clone();
  };
  using Parameters = std::vector<NamedParameter>;
  const auto adam = [](const Parameters& p) { return Adam(p, {.learning_rate = 0.1}); };
  const auto no_decay = [](const Parameters& p) { return AdamW(p, {.learning_rate = 0.1, .weight_decay = 0.0}); };
  const auto decays = [](const Parameters& p) { return AdamW(p, {.learning_rate = 0.1, .weight_decay = 0.5}); };
  CHECK(bitwise_equal(stepped(adam, gradient), stepped(no_decay, gradient)));
  // A gradient of zero leaves the decay alone, by rate times weight_decay.
  const Tensor decayed = stepped(decays, zeros({kNumbers}, {.dtype = DType::f64}));
  for (int64_t i = 0; i < kNumbers; ++i) CHECK(std::abs(decayed.at({i}) - 0.95 * start.at({i})) < 1e-15);
}

TEST_CASE("AdamW resumes from its saved state bit by bit, and refuses wrong options in its own name") {
  const uint64_t seed = tests::seed(83);
  INFO("seed " << seed);
  detail::RandomTensors random(seed);
  Parameter whole(random.floating({kNumbers}, DType::f32));
  Parameter cut(whole.value());
  AdamW one({{"p", &whole}});
  AdamW before({{"p", &cut}});
  AdamW after({{"p", &cut}});
  for (int step = 0; step < 12; ++step) {
    const Tensor gradient = random.floating({kNumbers}, DType::f32);
    whole.set_grad_(gradient);
    cut.set_grad_(gradient);
    one.step();
    if (step == 6) after.load_state_dict(before.state_dict());
    (step < 6 ? before : after).step();
  }
  CHECK(bitwise_equal(whole.value(), cut.value()));

  const std::vector<NamedParameter> list = {{"p", &whole}};
  CHECK_THROWS_WITH(AdamW(list, {.learning_rate = -1.0}), "[adamw] expected a learning_rate of 0 or more, got -1");
  CHECK_THROWS_WITH(AdamW(list, {.beta2 = 1.0}), "[adamw] expected 0 <= beta2 < 1, got 1");
  CHECK_THROWS_WITH(AdamW(list, {.weight_decay = -0.1}), "[adamw] expected a weight_decay of 0 or more, got -0.1");
  CHECK_THROWS_WITH(AdamW(list, {.eps = -1.0}), "[adamw] expected an eps of 0 or more, got -1");
}

// SPDX-License-Identifier: MIT
// Compares optimizers with scalar code from their papers, and tests exact resume and what they must not change.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/optim/optimizer.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/optim/problem.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using tests::check_resume;
using tests::error_after;
using tests::error_of;
using tests::kCount;
using tests::Problem;
using tests::same_bits;
using tests::values_of;

namespace {

// Whether options without any number compile.
template <class T>
concept NothingGiven = requires {
  T{};
};

}  // namespace

TEST_CASE("Adam equals algorithm 1 of its paper for 20 steps") {
  const uint64_t seed = tests::seed(71);
  INFO("seed " << seed);
  for (double decay : {0.0, 0.1}) {
    const AdamOptions o{.learning_rate = 0.02, .beta1 = 0.8, .beta2 = 0.99, .eps = 1e-6, .weight_decay = decay};
    const auto update = [&](double& p, double g, double& m, double& v, int t) {
      g += o.weight_decay * p;
      m = o.beta1 * m + (1 - o.beta1) * g;
      v = o.beta2 * v + (1 - o.beta2) * g * g;
      const double m_hat = m / (1 - std::pow(o.beta1, t));
      const double v_hat = v / (1 - std::pow(o.beta2, t));
      p -= o.learning_rate * m_hat / (std::sqrt(v_hat) + o.eps);
    };
    Problem problem(seed);
    Adam adam(problem.parameters(), o);
    // Measured over four seeds: at most 3.4e-16 in f64, 3.2e-7 in f32.
    CHECK(error_after(20, problem, adam, update) < 1e-14);
    Problem single(seed, DType::f32);
    Adam adam32(single.parameters(), o);
    CHECK(error_after(20, single, adam32, update) < 5e-6);
  }
}

TEST_CASE("SGD equals its formula for 20 steps, with and without momentum, decay and Nesterov's look ahead") {
  const uint64_t seed = tests::seed(72);
  INFO("seed " << seed);
  const SgdOptions variants[] = {{.learning_rate = 0.05},
                                 {.learning_rate = 0.05, .weight_decay = 0.2},
                                 {.learning_rate = 0.05, .momentum = 0.9},
                                 {.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 0.2},
                                 {.learning_rate = 0.05, .momentum = 0.9, .nesterov = true}};
  for (const SgdOptions& o : variants) {
    const auto update = [&](double& p, double g, double& v, double&, int) {
      g += o.weight_decay * p;
      v = o.momentum * v + g;
      p -= o.learning_rate * (o.nesterov ? g + o.momentum * v : v);
    };
    INFO("momentum " << o.momentum << ", decay " << o.weight_decay << ", nesterov " << o.nesterov);
    Problem problem(seed);
    Sgd sgd(problem.parameters(), o);
    // Measured over four seeds: at most 8.9e-16 in f64, 8.1e-7 in f32.
    CHECK(error_after(20, problem, sgd, update) < 2e-14);
    Problem single(seed, DType::f32);
    Sgd sgd32(single.parameters(), o);
    CHECK(error_after(20, single, sgd32, update) < 1e-5);
  }
}

TEST_CASE("an optimizer resumed from its saved state goes on bit by bit") {
  const uint64_t seed = tests::seed(73);
  INFO("seed " << seed);
  for (DType dtype : {DType::f32, DType::f64}) {
    check_resume(seed, dtype, [](const std::vector<NamedParameter>& p) { return Adam(p, {.learning_rate = 0.01}); });
    check_resume(seed, dtype,
                 [](const std::vector<NamedParameter>& p) { return Sgd(p, {.learning_rate = 0.01, .momentum = 0.9}); });
    check_resume(seed, dtype, [](const std::vector<NamedParameter>& p) { return Sgd(p, {.learning_rate = 0.01}); });
  }
}

TEST_CASE("a saved state does not follow the optimizer, nor a loaded one its source") {
  Problem problem(12);
  Adam adam(problem.parameters());
  problem.draw();
  adam.step();
  const std::vector<NamedTensor> saved = adam.state_dict();
  const Tensor m = saved[3].value.clone();
  adam.step();
  CHECK(bitwise_equal(saved[3].value, m));
  adam.load_state_dict(saved);
  adam.step();
  CHECK(bitwise_equal(saved[3].value, m));
  CHECK(!bitwise_equal(adam.state_dict()[3].value, m));
}

TEST_CASE("a state is keyed by the parameters' paths, and one that does not fit is refused in one error") {
  Problem problem(1);
  Adam adam(problem.parameters());
  problem.draw();
  problem.second.zero_grad_();
  adam.step();
  std::vector<std::string> names;
  for (const NamedTensor& entry : adam.state_dict()) names.push_back(entry.name);
  CHECK(names == std::vector<std::string>{"steps", "learning_rate", "net.first.updates", "net.first.m", "net.first.v"});
  std::vector<NamedTensor> wrong = adam.state_dict();
  wrong[3].value = zeros({3}, {.dtype = DType::f64});
  wrong[4].name = "net.third.v";
  wrong.erase(wrong.begin());
  CHECK(
      error_of([&] { return adam.load_state_dict(wrong); }) ==
      "[adam] the saved state does not fit: missing: steps; wrong shape: net.first.m: expected f64 [37], got f64 [3]; "
      "missing: net.first.v; unexpected: net.third.v");
  CHECK(adam.steps() == 1);
}

TEST_CASE("a step reads gradients and leaves their bits as they are") {
  Problem problem(2);
  for (int kind = 0; kind < 2; ++kind) {
    Adam adam(problem.parameters(), {.weight_decay = 0.5});
    Sgd sgd(problem.parameters(), {.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.5});
    Optimizer& optimizer = kind == 0 ? static_cast<Optimizer&>(adam) : sgd;
    for (int step = 0; step < 3; ++step) {
      problem.draw();
      const Tensor before = problem.first.grad().clone();
      const uint32_t version = problem.first.grad().version();
      const Tensor value = problem.first.value().clone();
      optimizer.step();
      CHECK(bitwise_equal(problem.first.grad(), before));
      CHECK(problem.first.grad().version() == version);
      CHECK(!bitwise_equal(problem.first.value(), value));
    }
    optimizer.zero_grad();
    CHECK(!problem.first.grad().defined());
    CHECK(!problem.second.grad().defined());
  }
}

TEST_CASE("a parameter without gradient is left alone and counted; without any gradient a step is refused") {
  Problem problem(3);
  Adam adam(problem.parameters());
  CHECK(error_of([&] { return adam.step(); }) ==
        "[adam] no parameter has a gradient: call backward(loss) before step()");
  CHECK(adam.steps() == 0);
  problem.draw();
  problem.first.zero_grad_();
  const Tensor before = problem.first.value().clone();
  adam.step();
  CHECK(adam.skipped() == 1);
  CHECK(bitwise_equal(problem.first.value(), before));
  problem.draw();
  adam.step();
  CHECK(adam.skipped() == 0);
  // Its first update is corrected as a first one, so its size is the rate.
  CHECK(std::abs(std::abs(problem.first.value().at({0}) - before.at({0})) - 1e-3) < 1e-6);
}

TEST_CASE("the learning rate takes effect at the next step, and 0 changes nothing") {
  Problem problem(4);
  Sgd sgd(problem.parameters(), {.learning_rate = 1.0});
  sgd.set_learning_rate(0.0);
  problem.draw();
  const std::vector<Tensor> before = values_of(problem);
  sgd.step();
  CHECK(same_bits(before, values_of(problem)));
  sgd.set_learning_rate(0.5);
  sgd.step();
  CHECK(problem.first.value().at({1}) == before[0].at({1}) - 0.5 * problem.first.grad().at({1}));
}

TEST_CASE("gradients of any memory order are read by their indices") {
  Problem dense(5);
  Problem strided(5);
  Adam one(dense.parameters());
  Adam two(strided.parameters());
  const Tensor gradient = dense.random.floating({3, 2});
  dense.second.set_grad_(gradient.transpose(0, 1).clone());
  strided.second.set_grad_(gradient.transpose(0, 1));
  one.step();
  two.step();
  CHECK(bitwise_equal(dense.second.value(), strided.second.value()));
}

TEST_CASE("wrong options and parameters are refused") {
  Problem p(6);
  const auto list = p.parameters();
  CHECK(error_of([&] { return Adam(list, {.learning_rate = -1.0}); }) ==
        "[adam] expected a learning_rate of 0 or more, got -1");
  CHECK(error_of([&] { return Adam(list, {.learning_rate = NAN}); }) ==
        "[adam] expected a learning_rate of 0 or more, got nan");
  CHECK(error_of([&] { return Adam(list, {.beta1 = 1.0}); }) == "[adam] expected 0 <= beta1 < 1, got 1");
  CHECK(error_of([&] { return Adam(list, {.eps = -1.0}); }) == "[adam] expected an eps of 0 or more, got -1");
  CHECK(error_of([&] { return Sgd(list, {.learning_rate = NAN}); }) ==
        "[sgd] expected a learning_rate of 0 or more, got nan");
  STATIC_REQUIRE(!NothingGiven<SgdOptions>);
  CHECK(error_of([&] { return Sgd(list, {.learning_rate = 0.1, .nesterov = true}); }) ==
        "[sgd] nesterov needs a momentum and no dampening");
  CHECK(error_of([&] { return Sgd(list, {.learning_rate = 0.1, .momentum = 1.0}); }) ==
        "[sgd] expected 0 <= momentum < 1, got 1");
  CHECK(error_of([&] { return Sgd(list, {.learning_rate = 0.1, .weight_decay = -0.1}); }) ==
        "[sgd] expected a weight_decay of 0 or more, got -0.1");
  CHECK(error_of([&] { return Adam({}, {}); }) == "[adam] expected at least one parameter, got none");
  CHECK(error_of([&] { return Adam({list[0], list[0]}, {}); }) == "[adam] parameter net.first is given twice");
  CHECK(error_of([&] { return Adam({{"ghost", nullptr}}, {}); }) == "[adam] parameter ghost is undefined");
  Adam adam(list);
  p.draw();
  adam.step();
  p.first.reset_(zeros({kCount}));
  p.first.set_grad_(zeros({kCount}));
  CHECK(error_of([&] { return adam.step(); }) ==
        "[adam] parameter net.first was f64 [37] at its first update and is now f32 [37]");
}

TEST_CASE("clip_grad_norm_ scales all gradients together and returns the norm before") {
  Problem p(7);
  p.first.set_grad_(zeros({kCount}, {.dtype = DType::f64}));
  Tensor gradient = zeros({2, 3}, {.dtype = DType::f64});
  gradient.mutable_data_<double>()[1] = 3.0;
  gradient.mutable_data_<double>()[4] = -4.0;
  p.second.set_grad_(gradient.clone());
  CHECK(clip_grad_norm_(p.parameters(), 10.0) == 5.0);
  CHECK(bitwise_equal(p.second.grad(), gradient));
  CHECK(clip_grad_norm_(p.parameters(), HUGE_VAL) == 5.0);
  CHECK(clip_grad_norm_(p.parameters(), 5.0) == 5.0);
  CHECK(bitwise_equal(p.second.grad(), gradient));
  CHECK(clip_grad_norm_(p.parameters(), 1.0) == 5.0);
  CHECK(std::abs(p.second.grad().at({0, 1}) - 0.6) < 1e-15);
  CHECK(std::abs(p.second.grad().at({1, 1}) + 0.8) < 1e-15);
  CHECK(std::abs(clip_grad_norm_(p.parameters(), 1.0) - 1.0) < 1e-15);
}

TEST_CASE("clip_grad_norm_ with a zero norm, one parameter, missing and shared gradients") {
  Problem p(8);
  p.first.set_grad_(zeros({kCount}, {.dtype = DType::f64}));
  CHECK(clip_grad_norm_(p.parameters(), 1.0) == 0.0);
  CHECK(all_zero(p.first.grad()));
  CHECK(!p.second.grad().defined());
  CHECK(clip_grad_norm_({}, 1.0) == 0.0);
  p.first.set_grad_(full({1}, 2.0, {.dtype = DType::f64}).expand({kCount}));  // one number for all elements
  CHECK(clip_grad_norm_({{"first", &p.first}}, 1.0) == Approx(2.0 * std::sqrt(static_cast<double>(kCount))));
  CHECK(p.first.grad().at({5}) == Approx(1.0 / std::sqrt(static_cast<double>(kCount))));
  Problem q(9);
  const Tensor shared = full({kCount}, 1.0, {.dtype = DType::f64});
  p.first.set_grad_(shared);
  q.first.set_grad_(shared);
  (void)clip_grad_norm_({{"p", &p.first}, {"q", &q.first}}, 1.0);
  CHECK(bitwise_equal(p.first.grad(), q.first.grad()));
  CHECK(p.first.grad().at({0}) == Approx(1.0 / std::sqrt(2.0 * kCount)));
  CHECK(shared.at({0}) == 1.0);
}

TEST_CASE("clip_grad_norm_ names the parameter whose gradient is not finite, and changes nothing") {
  for (double bad : {HUGE_VAL, -HUGE_VAL, static_cast<double>(NAN)}) {
    Problem p(10);
    p.draw();
    Tensor gradient = p.second.grad().clone();
    gradient.mutable_data_<double>()[3] = bad;
    p.second.set_grad_(gradient);
    const Tensor before = p.first.grad().clone();
    CHECK_THROWS_WITH(clip_grad_norm_(p.parameters(), 0.1),
                      tests::contains_text("[clip_grad_norm_] the gradient of net.second is not finite: its norm is"));
    CHECK(bitwise_equal(p.first.grad(), before));
  }
  Problem p(11);
  CHECK_THROWS_WITH(clip_grad_norm_(p.parameters(), 0.0), "[clip_grad_norm_] expected max_norm > 0, got 0");
  CHECK_THROWS_WITH(clip_grad_norm_(p.parameters(), NAN), "[clip_grad_norm_] expected max_norm > 0, got nan");
}

TEST_CASE("warmup_cosine rises in a line, falls as half a cosine and ends at 0") {
  const WarmupCosineOptions o{.peak = 4e-3, .warmup = 100, .total = 2000};
  CHECK(warmup_cosine(1, o) == Approx(4e-5));
  CHECK(warmup_cosine(50, o) == Approx(2e-3));
  CHECK(warmup_cosine(100, o) == 4e-3);
  CHECK(warmup_cosine(1050, o) == Approx(2e-3));
  CHECK(warmup_cosine(1999, o) > 0.0);
  CHECK(warmup_cosine(2000, o) == 0.0);
  CHECK(warmup_cosine(9999, o) == 0.0);
  CHECK(warmup_cosine(1, {.peak = 1.0, .warmup = 0, .total = 4}) == Approx(0.5 * (1.0 + std::sqrt(0.5))));
  CHECK_THROWS_WITH(warmup_cosine(0, o), tests::contains_text("[warmup_cosine] expected step >= 1"));
  CHECK_THROWS_WITH(warmup_cosine(1, {.peak = 1.0, .total = 0}), tests::contains_text("total >= 1"));
  STATIC_REQUIRE(!NothingGiven<WarmupCosineOptions>);
  CHECK_THROWS_WITH(warmup_cosine(1, {.peak = 1.0, .warmup = 5, .total = 4}),
                    tests::contains_text("warmup 5, total 4"));
}

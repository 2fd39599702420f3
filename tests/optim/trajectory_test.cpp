// SPDX-License-Identifier: MIT
// Every optimizer against PyTorch's over 50 steps: changing rates, gradients missing in some steps, groups. And both
// averages against its AveragedModel.
#include <memory>

#include <gradus/optim/average.hpp>
#include <gradus/optim/optimizer.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/fixture.hpp"

using namespace gradus;

namespace {

using Parameters = std::vector<NamedParameter>;

struct TrajectoryCase {
  const char* name;
  std::unique_ptr<Optimizer> (*make)(const Parameters& parameters);
};

template <class Kind, class Options>
std::unique_ptr<Optimizer> made(const Parameters& parameters, const Options& options) {
  return std::make_unique<Kind>(parameters, options);
}

const TrajectoryCase kSgdCases[] = {
    {"sgd", [](const Parameters& p) { return made<Sgd>(p, SgdOptions{.learning_rate = 1}); }},
    {"sgd_decay",
     [](const Parameters& p) { return made<Sgd>(p, SgdOptions{.learning_rate = 1, .weight_decay = 0.2}); }},
    {"sgd_momentum",
     [](const Parameters& p) {
       return made<Sgd>(p, SgdOptions{.learning_rate = 1, .momentum = 0.9, .weight_decay = 0.1});
     }},
    {"sgd_dampening",
     [](const Parameters& p) {
       return made<Sgd>(p, SgdOptions{.learning_rate = 1, .momentum = 0.8, .dampening = 0.3});
     }},
    {"sgd_nesterov",
     [](const Parameters& p) {
       return made<Sgd>(p, SgdOptions{.learning_rate = 1, .momentum = 0.7, .nesterov = true, .weight_decay = 0.1});
     }},
    {"sgd_groups",
     [](const Parameters& p) {
       return made<Sgd>(p, SgdOptions{.learning_rate = 1,
                                      .momentum = 0.9,
                                      .groups = {{.names = {"*weight"}, .rate_scale = 2.0},
                                                 {.names = {"*.bias"}, .weight_decay = 0.3}}});
     }},
};

const TrajectoryCase kAdamCases[] = {
    {"adam", [](const Parameters& p) { return made<Adam>(p, AdamOptions{}); }},
    {"adam_amsgrad",
     [](const Parameters& p) {
       return made<Adam>(p, AdamOptions{.beta1 = 0.8, .beta2 = 0.7, .weight_decay = 0.1, .amsgrad = true});
     }},
    {"adamw",
     [](const Parameters& p) {
       return made<AdamW>(p, AdamWOptions{.beta1 = 0.85, .beta2 = 0.97, .eps = 1e-6, .weight_decay = 0.3});
     }},
    {"adamw_amsgrad",
     [](const Parameters& p) {
       return made<AdamW>(p, AdamWOptions{.beta2 = 0.6, .weight_decay = 0.2, .amsgrad = true});
     }},
    {"adamw_groups",
     [](const Parameters& p) {
       return made<AdamW>(p, AdamWOptions{.weight_decay = 0.4,
                                          .groups = {{.names = {"net.bias"}, .rate_scale = 0.5, .weight_decay = 0.0}}});
     }},
    {"nadam", [](const Parameters& p) { return made<NAdam>(p, NAdamOptions{}); }},
    {"nadam_decay",
     [](const Parameters& p) {
       return made<NAdam>(
           p, NAdamOptions{.beta1 = 0.8, .beta2 = 0.9, .eps = 1e-6, .weight_decay = 0.1, .momentum_decay = 0.1});
     }},
    {"nadam_decoupled",
     [](const Parameters& p) {
       return made<NAdam>(p, NAdamOptions{.weight_decay = 0.1, .decoupled_weight_decay = true});
     }},
};

const TrajectoryCase kAdaptiveCases[] = {
    {"adagrad", [](const Parameters& p) { return made<Adagrad>(p, AdagradOptions{}); }},
    {"adagrad_all",
     [](const Parameters& p) {
       return made<Adagrad>(p, AdagradOptions{.rate_decay = 0.1, .eps = 1e-6, .weight_decay = 0.1, .initial_sum = 0.5});
     }},
    {"adadelta", [](const Parameters& p) { return made<Adadelta>(p, AdadeltaOptions{}); }},
    {"adadelta_all",
     [](const Parameters& p) {
       return made<Adadelta>(p, AdadeltaOptions{.rho = 0.7, .eps = 1e-4, .weight_decay = 0.1});
     }},
    {"rms_prop", [](const Parameters& p) { return made<RmsProp>(p, RmsPropOptions{}); }},
    {"rms_prop_centered",
     [](const Parameters& p) { return made<RmsProp>(p, RmsPropOptions{.alpha = 0.8, .eps = 1e-2, .centered = true}); }},
    {"rms_prop_momentum",
     [](const Parameters& p) { return made<RmsProp>(p, RmsPropOptions{.momentum = 0.6, .weight_decay = 0.1}); }},
    {"rms_prop_all",
     [](const Parameters& p) {
       return made<RmsProp>(
           p, RmsPropOptions{.alpha = 0.9, .eps = 1e-4, .momentum = 0.5, .centered = true, .weight_decay = 0.1});
     }},
};

// The weight [2, 3] is the first six numbers of a row, the bias [5] the others.
Tensor weight_of(const Tensor& row) { return row.slice(0, 0, 6).reshape({2, 3}); }
Tensor bias_of(const Tensor& row) { return row.slice(0, 6); }

// The largest difference of all steps, relative to the largest number.
double error_of_trajectory(const tests::Fixture& fixture, const TrajectoryCase& c, DType dtype) {
  const Tensor gradients = fixture("gradients"), given = fixture("given"), rates = fixture("rates");
  const Tensor expected = fixture(c.name);
  Parameter weight(weight_of(fixture("start").to(dtype)));
  Parameter bias(bias_of(fixture("start").to(dtype)));
  const auto optimizer = c.make({{"net.weight", &weight}, {"net.bias", &bias}});
  double worst = 0.0;
  for (int64_t step = 0; step < 50; ++step) {
    const Tensor gradient = gradients.select(0, step).to(dtype);
    weight.set_grad_(given.at({step, 0}) != 0.0 ? weight_of(gradient) : Tensor());
    bias.set_grad_(given.at({step, 1}) != 0.0 ? bias_of(gradient) : Tensor());
    optimizer->set_learning_rate(rates.at({step}));
    optimizer->step();
    const Tensor row = expected.select(0, step);
    worst = std::max(worst, tests::relative_error(weight.value().to(DType::f64), weight_of(row)));
    worst = std::max(worst, tests::relative_error(bias.value().to(DType::f64), bias_of(row)));
  }
  return worst;
}

void check_trajectories(const TrajectoryCase* cases, size_t count) {
  const tests::Fixture fixture(GRADUS_FIXTURES "/trajectories.safetensors", "");
  for (size_t i = 0; i < count; ++i) {
    INFO(cases[i].name);
    CHECK(error_of_trajectory(fixture, cases[i], DType::f64) < 1e-14);
    CHECK(error_of_trajectory(fixture, cases[i], DType::f32) < 5e-6);
  }
}

}  // namespace

// Measured: at most 5.2e-16 in f64, 5.1e-7 in f32.
TEST_CASE("SGD takes PyTorch's way of 50 steps") { check_trajectories(kSgdCases, std::size(kSgdCases)); }
TEST_CASE("Adam, AdamW and NAdam take PyTorch's way of 50 steps") {
  check_trajectories(kAdamCases, std::size(kAdamCases));
}
TEST_CASE("Adagrad, Adadelta and RMSprop take PyTorch's way of 50 steps") {
  check_trajectories(kAdaptiveCases, std::size(kAdaptiveCases));
}

TEST_CASE("both averages of the weights are PyTorch's AveragedModel") {
  const tests::Fixture fixture(GRADUS_FIXTURES "/trajectories.safetensors", "");
  const Tensor values = fixture("adam");
  Parameter p(zeros({11}, {.dtype = DType::f64}));
  ExponentialAverage exponential({{"p", &p}}, {.decay = 0.9});
  StochasticAverage equal({{"p", &p}});
  for (int64_t step = 0; step < values.size(0); ++step) {
    p.assign_(values.select(0, step));
    exponential.update();
    equal.update();
    CHECK(tests::relative_error(exponential.weights()[0].value, fixture("average.ema").select(0, step)) < 1e-15);
    CHECK(tests::relative_error(equal.weights()[0].value, fixture("average.swa").select(0, step)) < 1e-14);
  }
}

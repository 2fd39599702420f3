// SPDX-License-Identifier: MIT
// Gradients whose squares leave the range of their dtype.
#include <cmath>

#include <gradus/optim/optimizer.hpp>

#include "tests/support/catch.hpp"

using namespace gradus;

TEST_CASE("clip_grad_norm_ of gradients whose squares leave the range of their dtype") {
  // Of norm 5 s, clipped to 1.
  const auto check = [](DType dtype, double s) {
    INFO(dtype_name(dtype) << " " << s);
    Parameter first(zeros({2}, {.dtype = dtype}));
    Parameter second(zeros({3}, {.dtype = dtype}));
    const TensorOptions f64{.dtype = DType::f64};
    first.set_grad_(Tensor::from({3 * s, 0}, {2}, f64).to(dtype));
    second.set_grad_(Tensor::from({0, -4 * s, 0}, {3}, f64).to(dtype));
    const double tolerance = dtype == DType::f32 ? 2e-7 : 4e-16;
    const double norm = clip_grad_norm_({{"first", &first}, {"second", &second}}, s < 1 ? s : 1.0);
    CHECK(norm == Approx(5 * s).epsilon(tolerance));
    const double unit = s < 1 ? s : 1.0;
    CHECK(first.grad().to(DType::f64).at({0}) / unit == Approx(0.6).epsilon(tolerance));
    CHECK(second.grad().to(DType::f64).at({1}) / unit == Approx(-0.8).epsilon(tolerance));
  };
  for (double s : {1e-30, 1.0, 1e30, 6e37}) check(DType::f32, s);
  for (double s : {1e-300, 1e-200, 1e-160, 1.0, 1e154, 1e200, 1e300}) check(DType::f64, s);
}

TEST_CASE("clip_grad_norm_ where the norm is too large for a double, and next to a zero gradient") {
  const TensorOptions f64{.dtype = DType::f64};
  Parameter first(zeros({2}, f64));
  Parameter second(zeros({1}, f64));
  first.set_grad_(Tensor::from({1.5e308, 1.5e308}, {2}, f64));
  second.set_grad_(zeros({1}, f64));
  const std::vector<NamedParameter> both = {{"first", &first}, {"second", &second}};
  CHECK(clip_grad_norm_(both, 2.0) == HUGE_VAL);
  CHECK(first.grad().at({1}) == Approx(std::sqrt(2.0)).epsilon(1e-15));
  CHECK(second.grad().at({0}) == 0.0);
}

TEST_CASE("Adam in f32 takes a gradient whose square is too large, while its second moment is not") {
  Parameter p(zeros({1}));
  Adam adam({{"p", &p}}, {.learning_rate = 0.5});
  p.set_grad_(full({1}, 1e20));
  adam.step();
  CHECK(p.value().at({0}) == Approx(-0.5f).epsilon(1e-6));
  adam.step();
  CHECK(p.value().at({0}) == Approx(-1.0f).epsilon(1e-6));
}

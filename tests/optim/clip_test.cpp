// SPDX-License-Identifier: MIT
// Clipping: parameters that are given twice, the first gradient that is not finite, limits of single elements.
#include <cmath>

#include "tests/optim/problem.hpp"
#include "tests/support/catch.hpp"

using namespace gradus;
using tests::error_of;

namespace {

Tensor doubles(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::f64});
}

}  // namespace

TEST_CASE("a parameter that is given twice counts once in the norm, and is scaled once") {
  for (const double s : {1.0, 1e200, 1e-200}) {
    INFO(s);
    Parameter first(doubles({0, 0})), second(doubles({0}));
    first.set_grad_(doubles({3 * s, 0}));
    second.set_grad_(doubles({4 * s}));
    const std::vector<NamedParameter> tied = {
        {"embedding", &first}, {"bias", &second}, {"output", &first}, {"output again", &first}};
    CHECK(clip_grad_norm_(tied, 0.5 * s) == Approx(5 * s).epsilon(1e-15));
    CHECK(first.grad().at({0}) == Approx(0.3 * s).epsilon(1e-15));
    CHECK(second.grad().at({0}) == Approx(0.4 * s).epsilon(1e-15));
  }
}

TEST_CASE("clip_grad_norm_ names the first of several gradients that are not finite, by its first name") {
  Parameter a(doubles({0})), b(doubles({0, 0})), c(doubles({0}));
  a.set_grad_(doubles({1e300}));
  b.set_grad_(doubles({1, HUGE_VAL}));
  c.set_grad_(doubles({NAN}));
  CHECK(error_of([&] {
          return clip_grad_norm_({{"a", &a}, {"b", &b}, {"c", &c}, {"b2", &b}}, 1.0);
        }) == "[clip_grad_norm_] the gradient of b is not finite: its norm is inf");
  CHECK(error_of([&] {
          return clip_grad_norm_({{"c", &c}, {"b", &b}, {"a", &a}}, HUGE_VAL);
        }) == "[clip_grad_norm_] the gradient of c is not finite: its norm is nan");
  CHECK(a.grad().at({0}) == 1e300);
}

TEST_CASE("clip_grad_value_ limits each element, and infinite ones too") {
  Parameter first(doubles({0, 0, 0, 0})), second(zeros({2})), third(zeros({1}));
  first.set_grad_(doubles({-3, 0.5, HUGE_VAL, -HUGE_VAL}));
  second.set_grad_(Tensor::from({1.25, -1.5}, {2}));
  const std::vector<NamedParameter> list = {{"first", &first}, {"second", &second}, {"third", &third}};
  const Tensor before = second.grad();
  clip_grad_value_(list, 1.5);
  CHECK(bitwise_equal(first.grad(), doubles({-1.5, 0.5, 1.5, -1.5})));
  CHECK(second.grad().raw_data() == before.raw_data());  // within the limits
  CHECK(!third.grad().defined());
  const Tensor kept = second.grad();
  clip_grad_value_(list, 1.0);
  CHECK(bitwise_equal(second.grad(), Tensor::from({1, -1}, {2})));
  CHECK(kept.at({0}) == 1.25f);  // whoever keeps a gradient keeps its numbers
  clip_grad_value_(list, HUGE_VAL);
  CHECK(first.grad().at({0}) == -1.0);
}

TEST_CASE("clip_grad_value_ of gradients in another memory order and of one number for all elements") {
  Parameter p(zeros({2, 3}, {.dtype = DType::f64}));
  p.set_grad_(doubles({1, 2, 3, 4, 5, 6}).reshape({3, 2}).transpose(0, 1));
  clip_grad_value_({{"p", &p}}, 3.5);
  CHECK(bitwise_equal(p.grad().contiguous(), doubles({1, 3, 3.5, 2, 3.5, 3.5}).reshape({2, 3})));
  p.set_grad_(doubles({7}).reshape({1, 1}).expand({2, 3}));
  clip_grad_value_({{"p", &p}}, 2.0);
  CHECK(bitwise_equal(p.grad().contiguous(), full({2, 3}, 2.0, {.dtype = DType::f64})));
}

TEST_CASE("clip_grad_value_ refuses NaN, names the first, and changes nothing") {
  Parameter first(doubles({0})), second(doubles({0, 0}));
  first.set_grad_(doubles({9}));
  second.set_grad_(doubles({1, NAN}));
  const std::vector<NamedParameter> list = {{"first", &first}, {"second", &second}};
  CHECK(error_of([&] { return clip_grad_value_(list, 1.0); }) == "[clip_grad_value_] the gradient of second has a NaN");
  CHECK(first.grad().at({0}) == 9.0);
  CHECK(error_of([&] { return clip_grad_value_(list, 0.0); }) == "[clip_grad_value_] expected max_value > 0, got 0");
  CHECK(error_of([&] { return clip_grad_value_(list, NAN); }) == "[clip_grad_value_] expected max_value > 0, got nan");
}

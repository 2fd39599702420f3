// SPDX-License-Identifier: MIT
#include <cmath>

#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"

using namespace gradus;

namespace {

Tensor numbers(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::f64});
}

}  // namespace

TEST_CASE("largest_error is relative to the larger side, and absolute below 1") {
  CHECK(largest_error(numbers({1, 2}), numbers({1, 2})) == 0.0);
  CHECK(largest_error(numbers({0.25, 2}), numbers({0.5, 2})) == 0.25);
  CHECK(largest_error(numbers({4, 2}), numbers({8, 2})) == 0.5);
  CHECK(largest_error(numbers({1, 2}), numbers({1, 2}).to(DType::f32)) == 0.0);
  CHECK(largest_error(numbers({1, 2, 3, 4}).slice(0, 0, 4, 2), numbers({1, 3})) == 0.0);
}

TEST_CASE("largest_error: what is not finite is equal to itself alone; other shapes are infinitely far") {
  CHECK(largest_error(numbers({NAN, HUGE_VAL}), numbers({NAN, HUGE_VAL})) == 0.0);
  CHECK(largest_error(numbers({HUGE_VAL}), numbers({-HUGE_VAL})) == HUGE_VAL);
  CHECK(largest_error(numbers({NAN}), numbers({1})) == HUGE_VAL);
  CHECK(largest_error(numbers({1}), numbers({1, 1})) == HUGE_VAL);
}

TEST_CASE("all_zero and all_finite") {
  CHECK(all_zero(numbers({0, -0.0})));
  CHECK(!all_zero(numbers({0, 1e-300})));
  CHECK(!all_zero(numbers({NAN})));
  CHECK(all_finite(numbers({0, 1e300})));
  CHECK(!all_finite(numbers({0, NAN})));
  CHECK(!all_finite(numbers({-HUGE_VAL})));
  CHECK(all_finite(Tensor::from({1}, {1}, {.dtype = DType::i64})));
}

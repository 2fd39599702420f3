// SPDX-License-Identifier: MIT
// pow: values and derivatives at base 0, at negative bases, at exponent 0.
#include <cmath>
#include <limits>

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"

using namespace gradus;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor row(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::f64});
}

void check_values(const Variable& got, std::initializer_list<double> expected) {
  INFO("got " << to_string(got.value()));
  CHECK(largest_error(got.value(), row(expected)) <= 1e-15);
}

Variable slope(const Variable& y, const Variable& x) { return grad({sum(y)}, {x}, {.create_graph = true})[0]; }

}  // namespace

TEST_CASE("pow gives what std::pow gives") {
  check_values(pow(row({-2, -2, 0, 0, 4, -8}), row({3, -1, 0, -1, 0.5, 1.0 / 3.0})), {-8, -0.5, 1, kInf, 2, kNan});
  check_values(pow(row({-2, 3}), 3.0), {-8, 27});
  check_values(pow(row({-2, 3}), 2.0), {4, 9});
  check_values(pow(row({4, 9}), -0.5), {0.5, 1.0 / 3.0});
  check_values(pow(2.0, row({3, -1, 0})), {8, 0.5, 1});
  CHECK(pow(ones({2, 1}), ones({3})).shape() == Shape{2, 3});
}

TEST_CASE("pow: derivatives with respect to the base, whole exponents from 0, at base 0 and below") {
  const Tensor b = row({0, 1, 2, 3, 0, 1, 2, 3});
  const Variable a = leaf(row({0, 0, 0, 0, -2, -2, -2, -2}));
  const Variable first = slope(pow(a, b), a);
  check_values(first, {0, 1, 0, 0, 0, 1, -4, 12});
  const Variable second = slope(first, a);
  check_values(second, {0, 0, 2, 0, 0, 0, 2, -12});
  check_values(slope(second, a), {0, 0, 0, 6, 0, 0, 0, 6});
}

TEST_CASE("pow with a number: the same derivatives, and those of powers that are not whole") {
  const double expected[4][3] = {{0, 0, 0}, {1, 0, 0}, {0, 2, 0}, {0, 0, 6}};
  for (int p = 0; p < 4; ++p) {
    INFO("exponent " << p);
    const Variable x = leaf(row({0}));
    const Variable first = slope(pow(x, p), x);
    CHECK(first.item<double>() == expected[p][0]);
    if (p == 0) continue;  // then nothing depends on x
    const Variable second = slope(first, x);
    CHECK(second.item<double>() == expected[p][1]);
    if (p > 2) CHECK(slope(second, x).item<double>() == expected[p][2]);
  }
  const Variable x = leaf(row({0, 4}));
  const Variable first = slope(pow(x, 1.5), x);
  check_values(first, {0, 3});
  check_values(slope(first, x), {kInf, 0.375});
}

TEST_CASE("pow: the derivative with respect to the exponent is 0 at base 0, at every order, and NaN below") {
  const Variable a = leaf(row({0, 0, 0, 2, -2}));
  const Variable b = leaf(row({2, 1, 0, 3, 2}));
  const double log2 = 0.6931471805599453;
  const Variable first = slope(pow(a, b), b);
  check_values(first, {0, 0, 0, 8 * log2, kNan});
  check_values(slope(first, b), {0, 0, 0, 8 * log2 * log2, kNan});
  const Variable at_zero = leaf(row({2, 0.5, 0, -1}));
  check_values(slope(pow(0.0, at_zero), at_zero), {0, 0, 0, 0});
}

TEST_CASE("pow: gradcheck of broadcast operands and of a number as base") {
  const auto f = [](const std::vector<Variable>& x) {
    return std::vector<Variable>{pow(x[0], x[1]), pow(1.7, x[1]), pow(x[0], 0.5)};
  };
  const Tensor base = Tensor::from({0.5, 1.5, 2.0}, {3, 1}, {.dtype = DType::f64});
  const GradcheckReport report = gradcheck(f, {{"base", base}, {"exponent", row({-1.2, 0.7})}}, {.order = 3});
  INFO(report.text());
  CHECK(report.ok);
}

// SPDX-License-Identifier: MIT
// Elementwise functions: known values, and values and derivatives at kinks, ties, zeros, infinities and NaN.
#include <cmath>
#include <limits>

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

using namespace gradus;
using tests::error_text;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor row(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::f64});
}

Tensor bools(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::boolean});
}

void check_values(const Variable& got, std::initializer_list<double> expected, double allowed = 1e-15) {
  INFO("got " << to_string(got.value()));
  CHECK(largest_error(got.value(), row(expected)) <= allowed);
}

void check_bools(const Variable& got, std::initializer_list<double> expected) {
  INFO("got " << to_string(got.value()));
  CHECK(bitwise_equal(got.value(), bools(expected)));
  CHECK(!got.requires_grad());
}

using Function = Variable (*)(const Variable&);

Variable slope(Function f, const Variable& x) {
  return grad({sum(f(x))}, {x}, {.create_graph = true, .allow_unused = true})[0];
}

// Checks f' and f'' at some points.
void check_slopes(Function f, std::initializer_list<double> points, std::initializer_list<double> first,
                  std::initializer_list<double> second) {
  const Variable x = leaf(row(points));
  const Variable g = slope(f, x);
  check_values(g, first);
  check_values(grad({sum(g)}, {x})[0], second);
}

}  // namespace

TEST_CASE("elementwise functions give known values") {
  check_values(rsqrt(row({4, 0, 0.25})), {0.5, kInf, 2});
  check_values(reciprocal(row({4, -0.5})), {0.25, -2});
  check_values(expm1(row({-0.5, 1e-20})), {-0.3934693402873666, 1e-20});
  check_values(log1p(row({0.5, -1})), {0.4054651081081644, -kInf});
  check_values(sin(row({0, 2})), {0, 0.9092974268256817});
  check_values(cos(row({0, 2})), {1, -0.4161468365471424});
  check_values(erf(row({-1, 0.5, 2, kInf})), {-0.8427007929497149, 0.5204998778130465, 0.9953222650189527, 1});
  check_values(neg(row({1, -2})), {-1, 2});
  check_values(floor(row({-0.5, 2.5, kInf})), {-1, 2, kInf});
  check_values(ceil(row({-0.5, 2.5, -kInf})), {0, 3, -kInf});
  check_values(round(row({0.5, 1.5, 2.5, 0.49999999999999994})), {0, 2, 2, 0});
}

TEST_CASE("activations give known values, and their limits at infinity") {
  check_values(gelu(row({-1.5, 0.5, 2})), {-0.10021080190328713, 0.34573123063700656, 1.9544997361036416});
  check_values(gelu_tanh(row({-1.5, 0.5, 2})), {-0.10042842301976707, 0.34571400982514394, 1.954597694087775});
  check_values(silu(row({-1.5, 0.5, 2})), {-0.2736382857095345, 0.3112296656009273, 1.7615941559557646});
  check_values(softplus(row({-1.5, 0.5, 2})), {0.2014132779827524, 0.9740769841801067, 2.1269280110429727});
  check_values(log_sigmoid(row({-1.5, 0.5, 2})), {-1.7014132779827524, -0.4740769841801067, -0.1269280110429725});
  check_values(leaky_relu(row({-1.5, 2})), {-0.015, 2});
  check_values(elu(row({-0.5, 2}), {.alpha = 2.0}), {2 * -0.3934693402873666, 2});
  for (Function f : {gelu, gelu_tanh, silu, softplus}) check_values(f(row({-kInf, kInf, kNan})), {0, kInf, kNan});
  check_values(log_sigmoid(row({-kInf, kInf, kNan})), {-kInf, 0, kNan});
  check_values(elu(row({-kInf, kInf, kNan})), {-1, kInf, kNan});
  // A formula with 1 + e^x would round these values away.
  CHECK(softplus(row({-40})).item<double>() == Approx(std::exp(-40.0)).epsilon(1e-14));
  CHECK(log_sigmoid(row({40})).item<double>() == Approx(-std::exp(-40.0)).epsilon(1e-14));
  CHECK(softplus(Tensor::from({100.0, 1000.0}, {2})).value().at({1}) == 1000.0);
}

TEST_CASE("first and second derivatives of activations stay finite far out") {
  for (const double far : {1e3, 1e30, 1e200, kInf}) {
    INFO("at " << far);
    check_slopes(gelu, {-far, far}, {0, 1}, {0, 0});
    check_slopes(gelu_tanh, {-far, far}, {0, 1}, {0, 0});
    check_slopes(silu, {-far, far}, {0, 1}, {0, 0});
    check_slopes(softplus, {-far, far}, {0, 1}, {0, 0});
    check_slopes(log_sigmoid, {-far, far}, {1, 0}, {0, 0});
    check_slopes(erf, {-far, far}, {0, 0}, {0, 0});
    check_slopes([](const Variable& x) { return elu(x); }, {-far, far}, {0, 1}, {0, 0});
  }
}

TEST_CASE("curved functions: derivatives up to the third order") {
  struct Curved {
    const char* name;
    Function f;
  };
  const Curved all[] = {
      {"erf", erf},
      {"gelu", gelu},
      {"gelu_tanh", gelu_tanh},
      {"silu", silu},
      {"softplus", softplus},
      {"log_sigmoid", log_sigmoid},
      {"elu", [](const Variable& x) { return elu(x, {.alpha = 0.5}); }},
      {"expm1", expm1},
      {"log1p", [](const Variable& x) { return log1p(square(x)); }},
      {"rsqrt", [](const Variable& x) { return rsqrt(square(x) + 1.0); }},
      {"reciprocal", [](const Variable& x) { return reciprocal(square(x) + 1.0); }},
      {"sin of cos", [](const Variable& x) { return sin(cos(x)); }},
  };
  for (const Curved& curved : all) {
    const auto f = [&](const std::vector<Variable>& x) { return curved.f(x[0]); };
    const GradcheckReport report = gradcheck(f, {{"x", row({-3.1, -1.2, -0.4, 0.3, 0.9, 2.5})}}, {.order = 3});
    INFO(curved.name << "\n" << report.text());
    CHECK(report.ok);
  }
}

TEST_CASE("derivatives at a kink are those that the contracts name") {
  check_slopes([](const Variable& x) { return leaky_relu(x, {.negative_slope = 0.25}); }, {-1, 0, 1}, {0.25, 0.25, 1},
               {0, 0, 0});
  check_slopes([](const Variable& x) { return elu(x, {.alpha = 2.0}); }, {0, 1}, {2, 1}, {2, 0});
  check_slopes([](const Variable& x) { return clamp(x, {.min = -1.0, .max = 2.0}); }, {-2, -1, 0, 2, 3},
               {0, 1, 1, 1, 0}, {0, 0, 0, 0, 0});
  check_values(slope(round, leaf(row({0.5, 1.2}))), {0, 0});
}

TEST_CASE("clamp: each bound may be left out, NaN passes, crossed bounds are refused") {
  check_values(clamp(row({-3, 0, 3, kNan}), {.min = -1.0}), {-1, 0, 3, kNan});
  check_values(clamp(row({-3, 0, 3, kNan}), {.max = 1.0}), {-3, 0, 1, kNan});
  check_values(clamp(row({-kInf, kInf}), {}), {-kInf, kInf});
  CHECK(error_text([] { return clamp(row({1}), {.min = 2.0, .max = 1.0}); }) ==
        "[clamp] expected min <= max, got 2 and 1");
}

TEST_CASE("maximum and minimum share the gradient of a tie and pass NaN") {
  const Variable a = leaf(row({1, 2, 5}));
  const Variable b = leaf(row({3, 2, 4}));
  check_values(maximum(a, b), {3, 2, 5});
  check_values(minimum(a, b), {1, 2, 4});
  const auto of_maximum = grad({sum(maximum(a, b))}, {a, b});
  check_values(of_maximum[0], {0, 0.5, 1});
  check_values(of_maximum[1], {1, 0.5, 0});
  const auto of_minimum = grad({sum(minimum(a, b))}, {a, b});
  check_values(of_minimum[0], {1, 0.5, 0});
  check_values(of_minimum[1], {0, 0.5, 1});
  check_values(maximum(row({kNan, 1, kInf}), row({1, kNan, 2})), {kNan, kNan, kInf});
  check_values(maximum(row({-1, 3}), 0.5), {0.5, 3});
  check_values(minimum(row({-1, 3}), 0.5), {-1, 0.5});
  CHECK(maximum(zeros({2, 1}), zeros({3})).shape() == Shape{2, 3});
}

TEST_CASE("comparisons with a number, and the tests for NaN and infinity") {
  const Tensor x = row({1, 2, 3, kNan});
  check_bools(equal(x, 2.0), {0, 1, 0, 0});
  check_bools(not_equal(x, 2.0), {1, 0, 1, 1});
  check_bools(less(x, 2.0), {1, 0, 0, 0});
  check_bools(less_equal(x, 2.0), {1, 1, 0, 0});
  check_bools(greater(x, 2.0), {0, 0, 1, 0});
  check_bools(greater_equal(x, 2.0), {0, 1, 1, 0});
  check_bools(isnan(row({0, kNan, kInf})), {0, 1, 0});
  check_bools(isinf(row({0, kNan, kInf, -kInf})), {0, 0, 1, 1});
  CHECK(isnan(zeros({0})).shape() == Shape{0});
}

TEST_CASE("logical functions broadcast") {
  check_bools(logical_and(bools({0, 1}), bools({1})), {0, 1});
  check_bools(logical_or(bools({0, 1}), bools({1})), {1, 1});
  check_bools(logical_xor(bools({0, 1}), bools({1})), {1, 0});
  check_bools(logical_not(bools({0, 1})), {1, 0});
  CHECK(error_text([] { return logical_not(row({1})); }) ==
        "[logical_not] expected operands of dtype bool, got f64 [1]");
}

TEST_CASE("masked_fill replaces where the mask is true, and no gradient passes there") {
  const Variable x = leaf(row({1, kNan, 3}));
  const Variable y = masked_fill(x, bools({0, 1, 0}), -7.0);
  check_values(y, {1, -7, 3});
  check_values(grad({sum(y)}, {x})[0], {1, 0, 1});
  CHECK(masked_fill(zeros({2, 3}), bools({0, 1, 0}), 1.0).shape() == Shape{2, 3});
  CHECK_THROWS_WITH(masked_fill(zeros({3}), Tensor::from({0, 1}, {2, 1}, {.dtype = DType::boolean}), 1.0),
                    tests::contains_text("[masked_fill] expected a mask that broadcasts to x, got x f32 [3]"));
}

TEST_CASE("lerp reaches both ends exactly, with a number or a tensor as weight") {
  const double third = 1.0 / 3.0;
  check_values(lerp(row({1, 1, 1}), row({5, third, 3}), row({0.25, 1, 0})), {2, third, 1}, 0.0);
  check_values(lerp(row({1, 2}), row({5, 4}), 0.75), {4, 3.5});
  CHECK(lerp(zeros({2, 1}), zeros({3}), zeros({4, 1, 1})).shape() == Shape{4, 2, 3});
  const GradcheckReport report =
      gradcheck([](const std::vector<Variable>& x) { return lerp(x[0], x[1], x[2]); },
                {{"a", row({0.5, -1})}, {"b", row({2, 1.5})}, {"weight", row({0.3})}}, {.order = 2});
  INFO(report.text());
  CHECK(report.ok);
}

TEST_CASE("second derivatives of gates keep their relative accuracy where the gate is all but open") {
  // From higher precision: the second derivatives at 20 (gelu_tanh: at 4). Measured errors in f32: at most 3e-7
  // (gelu_tanh 3e-6).
  const auto second = [](auto f, double at) {
    const Variable x = leaf(full({}, at));
    const Variable first = grad({f(x)}, {x}, {.create_graph = true})[0];
    return static_cast<double>(grad({first}, {x})[0].value().item<float>());
  };
  CHECK(second([](const Variable& x) { return softplus(x); }, 20) == Approx(2.061153613941849e-9).epsilon(1e-6));
  CHECK(second([](const Variable& x) { return log_sigmoid(x); }, 20) == Approx(-2.061153613941849e-9).epsilon(1e-6));
  CHECK(second([](const Variable& x) { return silu(x); }, 20) == Approx(-3.7100764881019119e-8).epsilon(1e-6));
  CHECK(second([](const Variable& x) { return gelu_tanh(x); }, 4) == Approx(-1.4740596637653365e-3).epsilon(1e-5));
}

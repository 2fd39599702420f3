// SPDX-License-Identifier: MIT
// Reductions: values computed with NumPy, edge cases (empty, NaN, infinities, ties, zeros), and derivatives of composed
// functions.
#include <cmath>
#include <functional>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using tests::error_text;

namespace {

const double kInf = HUGE_VAL;
const double kNan = std::nan("");

Tensor numbers(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::f64});
}

Tensor sample() { return numbers({0.5, -1.25, 2, 3.5, -2, 0.75, 1.5, -0.5, 4, 0.25, -3, 1}, {3, 4}); }

void check_value(const Variable& got, const Tensor& expected) {
  INFO("got " << to_string(got.value()) << ", expected " << to_string(expected));
  CHECK(got.shape() == expected.shape());
  CHECK(largest_error(got.value(), expected) <= 1e-14);
}

void check_number(const Variable& got, double expected) { check_value(got, numbers({expected}, {})); }

using Function = std::function<Variable(const Variable&)>;

// The derivative of the sum of f.
Tensor gradient(const Function& f, const Tensor& at) {
  const Variable x = leaf(at);
  return grad({sum(f(x))}, {x})[0].value();
}

// The derivative of the sum of squares of that derivative.
Tensor second_gradient(const Function& f, const Tensor& at) {
  const Variable x = leaf(at);
  const Variable first = grad({sum(f(x))}, {x}, {.create_graph = true})[0];
  return grad({sum(square(first))}, {x}, {.allow_unused = true})[0].value();
}

}  // namespace

TEST_CASE("reductions: values of NumPy") {
  const Tensor x = sample();
  check_value(var(x, {1}), numbers({4.140625, 2.3489583333333335, 8.265625}, {3}));
  check_value(stddev(x, {0}, {.correction = 0}),
              numbers({2.4608038433722332, 0.8498365855987975, 2.2484562605386733, 1.649915822768611}, {4}));
  check_number(var(x), 4.308238636363637);
  check_number(stddev(x), std::sqrt(4.308238636363637));
  check_value(logsumexp(x, {-1}, {.keepdim = true}),
              numbers({3.7480850490038047, 1.9934144569201782, 4.071591741274248}, {3, 1}));
  check_number(logsumexp(x), 4.686109723713083);
  check_value(norm(x, {1}, {.p = 1}), numbers({7.25, 4.75, 8.25}, {3}));
  check_value(norm(x, {1}), numbers({4.25, 2.6575364531836625, 5.105144464165535}, {3}));
  check_value(norm(x, {1}, {.p = 3}), numbers({3.755178032023481, 2.284449286080228, 4.514612989249552}, {3}));
  check_value(norm(x, {1}, {.p = 1.5}), numbers({4.984210888593354, 3.179201613796203, 5.897283118671732}, {3}));
  check_value(norm(x, {1}, {.keepdim = true, .p = kInf}), numbers({3.5, 2, 4}, {3, 1}));
  check_number(norm(x, {.p = 1}), 20.25);
  check_value(prod(x, {0}), numbers({-4, -0.234375, -9, -1.75}, {4}));
  check_number(prod(x), 14.765625);
  check_value(max(x, {0}), numbers({4, 0.75, 2, 3.5}, {4}));
  check_value(min(x, {-1}, {.keepdim = true}), numbers({-1.25, -2, -3}, {3, 1}));
  check_number(max(x), 4);
  check_number(min(x), -3);
  check_value(cumsum(x, 1), numbers({0.5, -0.75, 1.25, 4.75, -2, -1.25, 0.25, -0.25, 4, 4.25, 1.25, 2.25}, {3, 4}));
  check_value(cumsum(x, 0, {.reverse = true}), numbers({2.5, -0.25, 0.5, 4, 2, 1, -1.5, 0.5, 4, 0.25, -3, 1}, {3, 4}));
  check_value(argmax(x, 0).value(), Tensor::from({2, 1, 0, 0}, {4}, {.dtype = DType::i64}));
  check_value(argmin(x, -1, {.keepdim = true}).value(), Tensor::from({1, 0, 2}, {3, 1}, {.dtype = DType::i64}));
  CHECK(argmax(x).item<int64_t>() == 8);
  CHECK(argmin(x).item<int64_t>() == 10);
}

TEST_CASE("reductions: an empty list of axes means all of them") {
  const Tensor x = sample();
  check_number(sum(x, {}), 6.75);
  check_value(mean(x, {}, {.keepdim = true}), numbers({0.5625}, {1, 1}));
  check_number(max(x, {}), 4);
  check_number(var(x, {}), 4.308238636363637);
  check_number(norm(x, {}, {.p = 1}), 20.25);
  check_number(logsumexp(x, {}), 4.686109723713083);
}

TEST_CASE("reductions: over nothing, of a scalar, of eight axes") {
  const Tensor empty = zeros({2, 0}, {.dtype = DType::f64});
  check_value(sum(empty, {1}), numbers({0, 0}, {2}));
  check_value(prod(empty, {1}), numbers({1, 1}, {2}));
  check_value(mean(empty, {1}), numbers({kNan, kNan}, {2}));
  check_value(var(empty, {1}), numbers({kNan, kNan}, {2}));
  check_value(logsumexp(empty, {1}), numbers({-kInf, -kInf}, {2}));
  check_value(norm(empty, {1}), numbers({0, 0}, {2}));
  CHECK(max(empty, {0}).shape() == Shape{0});
  CHECK(argmax(empty, 0).shape() == Shape{0});
  CHECK(cumsum(empty, 1).shape() == Shape{2, 0});
  CHECK_THROWS_WITH(max(empty), tests::contains_text("[max] extreme of no elements"));
  CHECK_THROWS_WITH(norm(empty, {.p = kInf}), tests::contains_text("extreme of no elements"));
  CHECK_THROWS_WITH(argmin(empty, 1), tests::contains_text("[argmin] extreme of no elements"));

  const Tensor one = scalar(-2.5, {.dtype = DType::f64});
  for (const Variable& y : {sum(one), mean(one), max(one), min(one), prod(one), logsumexp(one)}) check_number(y, -2.5);
  check_number(norm(one), 2.5);
  check_number(var(one), kNan);
  check_number(var(one, {.correction = 0}), 0);
  CHECK(argmax(one).item<int64_t>() == 0);
  CHECK_THROWS_WITH(sum(one, {0}), tests::contains_text("since the rank is 0"));
  CHECK_THROWS_WITH(sum(sample(), {0, -2}), tests::contains_text("[sum] axis -2 is named twice"));

  const Tensor eight = ones({2, 1, 3, 1, 2, 1, 1, 2}, {.dtype = DType::f64});
  check_value(sum(eight, {0, 2, -1}), full({1, 1, 2, 1, 1}, 12, {.dtype = DType::f64}));
  check_number(prod(eight), 1);
  check_number(var(eight), 0);
  CHECK(max(eight, {1}, {.keepdim = true}).shape() == eight.shape());
  CHECK(cumsum(eight, -1).value().at({1, 0, 2, 0, 1, 0, 0, 1}) == 2);
}

TEST_CASE("max, min: NaN wins, ties share the derivative") {
  const Tensor x = numbers({1, kNan, 3, 2, 2, -kInf, kInf, 5, kInf}, {3, 3});
  check_value(max(x, {1}), numbers({kNan, 2, kInf}, {3}));
  check_value(min(x, {1}), numbers({kNan, -kInf, 5}, {3}));
  const auto row_max = [](const Variable& v) { return max(v, {1}); };
  check_value(gradient(row_max, x), numbers({0, 0, 0, 0.5, 0.5, 0, 0.5, 0, 0.5}, {3, 3}));
  const Tensor third = full({3, 1}, 7, {.dtype = DType::f64});
  check_value(gradient([](const Variable& v) { return min(v); }, third),
              full({3, 1}, 1.0 / 3.0, {.dtype = DType::f64}));
  CHECK(argmax(x, 1).value().at({0}) == 1);
  CHECK(argmax(x, 1).value().at({1}) == 0);
  CHECK(argmin(x, 1).value().at({0}) == 1);
  CHECK(argmin(numbers({0.0, -0.0}, {2})).item<int64_t>() == 0);
}

TEST_CASE("any, all: of bools only, false and true over nothing") {
  const Tensor x = Tensor::from({1, 0, 1, 1, 0, 0}, {3, 2}, {.dtype = DType::boolean});
  check_value(any(x, {1}), Tensor::from({1, 1, 0}, {3}, {.dtype = DType::boolean}));
  check_value(all(x, {1}, {.keepdim = true}), Tensor::from({0, 1, 0}, {3, 1}, {.dtype = DType::boolean}));
  check_value(all(x, {0}), Tensor::from({0, 0}, {2}, {.dtype = DType::boolean}));
  CHECK(any(x).item<bool>());
  CHECK(!all(x).item<bool>());
  const Tensor none = zeros({0}, {.dtype = DType::boolean});
  CHECK(!any(none).item<bool>());
  CHECK(all(none).item<bool>());
  CHECK_THROWS_WITH(any(zeros({2})), tests::contains_text("[any] expected an input of dtype bool"));
}

TEST_CASE("logsumexp: no overflow, and a defined derivative where all are -infinity") {
  check_value(logsumexp(numbers({1000, 1000, -1000, -1000}, {2, 2}), {1}),
              numbers({1000 + std::log(2.0), -1000 + std::log(2.0)}, {2}));
  check_number(logsumexp(numbers({kInf, 0}, {2})), kInf);
  check_number(logsumexp(numbers({kNan, 0}, {2})), kNan);
  const Tensor x = numbers({-kInf, -kInf, -kInf, 3, 1, 1}, {3, 2});
  const auto rows = [](const Variable& v) { return logsumexp(v, {1}); };
  check_value(rows(x), numbers({-kInf, 3, 1 + std::log(2.0)}, {3}));
  check_value(gradient(rows, x), numbers({0, 0, 0, 1, 0.5, 0.5}, {3, 2}));
  check_value(second_gradient(rows, x), zeros({3, 2}, {.dtype = DType::f64}));
}

TEST_CASE("prod: right with one zero and with several, second derivatives too") {
  const auto rows = [](const Variable& v) { return prod(v, {1}); };
  const Tensor x = numbers({2, 0, 5, 0, 3, 0}, {2, 3});
  check_value(gradient(rows, x), numbers({0, 10, 0, 0, 0, 0}, {2, 3}));
  // The gradient of (bc)^2 + (ac)^2 + (ab)^2: 2 a (b^2 + c^2), ...
  check_value(second_gradient(rows, x), numbers({2 * 2 * 25, 0, 2 * 5 * 4, 0, 0, 0}, {2, 3}));
  const Tensor signs = numbers({1, -2, 3}, {1, 3});
  check_value(second_gradient(rows, signs), numbers({26, -40, 30}, {1, 3}));
}

TEST_CASE("norm: the derivative of a norm of 0 is 0") {
  const Tensor x = numbers({0, 0, 3, -4}, {2, 2});
  for (const double p : {1.0, 1.5, 2.0, 3.0, kInf}) {
    INFO("p = " << p);
    const Tensor g = gradient([p](const Variable& v) { return norm(v, {1}, {.p = p}); }, x);
    CHECK(all_finite(g));
    CHECK((g.at({0, 0}) == 0 && g.at({0, 1}) == 0));
  }
  const auto two = [](const Variable& v) { return norm(v, {1}); };
  check_value(gradient(two, x), numbers({0, 0, 0.6, -0.8}, {2, 2}));
  CHECK(all_finite(second_gradient(two, x)));
  CHECK(error_text([&] { return norm(x, {.p = 0.5}); }) == "[norm] expected p >= 1, got 0.5");
  CHECK_THROWS_WITH(norm(x, {.p = kNan}), tests::contains_text("[norm] expected p >= 1"));
}

TEST_CASE("cumsum: a long sum in f32 does not drift") {
  const Tensor x = full({1 << 20}, 0.1).reshape({1 << 18, 4});
  CHECK(cumsum(x, 0).value().at({(1 << 18) - 1, 2}) == Approx(static_cast<double>(0.1F) * (1 << 18)).epsilon(1e-7));
}

TEST_CASE("reductions composed: first and second derivatives") {
  struct Case {
    const char* name;
    Function run;
  };
  const Case cases[] = {
      {"stddev", [](const Variable& x) { return stddev(x, {0}); }},
      {"norm 1", [](const Variable& x) { return norm(x, {1}, {.p = 1}); }},
      {"norm infinity", [](const Variable& x) { return norm(x, {1}, {.p = kInf}); }},
      {"norm 4 over all", [](const Variable& x) { return norm(x, {.p = 4}); }},
      {"softmax by hand", [](const Variable& x) { return exp(x - logsumexp(x, {1}, {.keepdim = true})); }},
      {"standardised",
       [](const Variable& x) { return (x - mean(x, {1}, {.keepdim = true})) / stddev(x, {1}, {.keepdim = true}); }},
      {"prod of cumsum", [](const Variable& x) { return prod(cumsum(x, 1, {.reverse = true}), {0}); }},
  };
  for (const Case& c : cases) {
    const uint64_t seed = tests::seed(72);
    detail::RandomTensors random(seed);
    const Tensor x = random.floating({3, 4}, DType::f64, {.gap = 0.7, .phase = 0.25});
    const auto run = [&](const std::vector<Variable>& in) { return c.run(in[0]); };
    const GradcheckReport report = gradcheck(run, {{"x", x}}, {.order = 2, .seed = seed});
    INFO(c.name << ", seed " << seed << "\n" << report.text());
    CHECK(report.ok);
  }
  const GradcheckReport third = gradcheck([](const std::vector<Variable>& x) { return prod(x[0], {1}); },
                                          {{"x", numbers({2, 0, 3, 0.5, 1, 0, 0, 2}, {2, 4})}}, {.order = 3});
  INFO(third.text());
  CHECK(third.ok);
}

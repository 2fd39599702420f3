// SPDX-License-Identifier: MIT
// Scans along an axis (cumsum, cumprod, linear_scan): values and derivatives against loops that follow the definitions,
// zeros in products, and elements that have no effect.
#include <cmath>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::RandomTensors;

namespace {

const double kNan = std::nan("");

using Numbers = std::vector<double>;

Numbers numbers_of(const Variable& x) {
  const Tensor dense = x.value().contiguous();
  return Numbers(dense.data<double>(), dense.data<double>() + dense.numel());
}

Tensor vector_of(const Numbers& values) {
  return Tensor::from(std::span<const double>(values), {static_cast<int64_t>(values.size())});
}

void check_near(const Variable& got, const Tensor& expected) {
  INFO("got " << to_string(got.value()) << ", expected " << to_string(expected));
  CHECK(got.shape() == expected.shape());
  CHECK(largest_error(got.value(), expected) <= 1e-13);
}

// Whether element j of x is in element i of a scan.
bool counts(size_t i, size_t j, const ScanOptions& options) {
  if (i == j) return !options.exclusive;
  return options.reverse ? j > i : j < i;
}

// Element i of a product scan without the factors `a` and `b`, which may be the same.
double product_without(const Numbers& x, size_t i, size_t a, size_t b, const ScanOptions& options) {
  double product = 1.0;
  for (size_t j = 0; j < x.size(); ++j) {
    if (j != a && j != b && counts(i, j, options)) product *= x[j];
  }
  return product;
}

// The gradient of sum_i g_i y_i, and the gradient of that gradient weighted by u.
struct ProductDerivatives {
  Numbers first;
  Numbers second;
};

ProductDerivatives derivatives_of_product(const Numbers& x, const Numbers& g, const Numbers& u,
                                          const ScanOptions& options) {
  const size_t n = x.size();
  ProductDerivatives out{Numbers(n), Numbers(n)};
  for (size_t k = 0; k < n; ++k) {
    for (size_t i = 0; i < n; ++i) {
      if (!counts(i, k, options)) continue;
      out.first[k] += g[i] * product_without(x, i, k, k, options);
      for (size_t m = 0; m < n; ++m) {
        if (m != k && counts(i, m, options)) out.second[m] += u[k] * g[i] * product_without(x, i, k, m, options);
      }
    }
  }
  return out;
}

constexpr ScanOptions kForms[] = {{}, {.reverse = true}, {.exclusive = true}, {.exclusive = true, .reverse = true}};

}  // namespace

TEST_CASE("cumsum, exclusive: values, axes, both directions") {
  const Tensor x = f64({0.5, -1.25, 2, 3.5, -2, 0.75}, {2, 3});
  check_near(cumsum(x, 1, {.exclusive = true}), f64({0, 0.5, -0.75, 0, 3.5, 1.5}, {2, 3}));
  check_near(cumsum(x, 0, {.exclusive = true}), f64({0, 0, 0, 0.5, -1.25, 2}, {2, 3}));
  check_near(cumsum(x, -1, {.exclusive = true, .reverse = true}), f64({0.75, 2, 0, -1.25, 0.75, 0}, {2, 3}));
  CHECK(cumsum(zeros({2, 0}), 1, {.exclusive = true}).shape() == Shape{2, 0});
  check_near(cumsum(f64({7}, {1}), 0, {.exclusive = true}), f64({0}, {1}));
  for (const bool reverse : {false, true}) {
    const Variable without = cumsum(x, 1, {.exclusive = true, .reverse = reverse});
    check_near(without + x, cumsum(x, 1, {.reverse = reverse}).value());
  }
}

TEST_CASE("cumsum, exclusive: an element has no effect on its own place") {
  const Variable x = leaf(f64({1, 2, kNan}, {3}));
  const Variable y = cumsum(x, 0, {.exclusive = true});
  check_near(y, f64({0, 1, 3}, {3}));
  check_near(grad({y}, {x}, {.cotangents = {f64({kNan, 5, 7}, {3})}})[0], f64({12, 7, 0}, {3}));
}

TEST_CASE("cumprod: values, axes, both directions") {
  const Tensor x = f64({2, -1, 3, 0.5, 4, -2}, {2, 3});
  check_near(cumprod(x, 1), f64({2, -2, -6, 0.5, 2, -4}, {2, 3}));
  check_near(cumprod(x, 0), f64({2, -1, 3, 1, -4, -6}, {2, 3}));
  check_near(cumprod(x, -1, {.reverse = true}), f64({-6, -3, 3, -4, -8, -2}, {2, 3}));
  check_near(cumprod(x, 1, {.exclusive = true}), f64({1, 2, -2, 1, 0.5, 2}, {2, 3}));
  check_near(cumprod(x, 1, {.exclusive = true, .reverse = true}), f64({-3, 3, 1, -8, -2, 1}, {2, 3}));
  check_near(cumprod(f64({7}, {1}), 0, {.exclusive = true}), f64({1}, {1}));
  CHECK(cumprod(zeros({2, 0}), 1).shape() == Shape{2, 0});
  const Variable middle = cumprod(reshape(x, {1, 2, 3}), 1);
  check_near(reshape(middle, {2, 3}), cumprod(x, 0).value());
}

TEST_CASE("cumprod: both derivatives are right at any number of zeros, wherever they are") {
  const Numbers rows[] = {{2, -1, 3, 5}, {0, 2, 3, 4}, {2, 3, 4, 0},   {2, 0, 3, 4}, {2, 0, 3, 0},
                          {0, 2, 0, 3},  {0, 2, 3, 0}, {0, 0, 2, 3},   {2, 3, 0, 0}, {0, 0, 2, 0},
                          {0, 0, 0, 0},  {0},          {2, 0, 0, 3, 1}};
  for (const ScanOptions& options : kForms) {
    for (const Numbers& row : rows) {
      INFO("exclusive " << options.exclusive << ", reverse " << options.reverse << ", " << to_string(vector_of(row)));
      Numbers g(row.size());
      Numbers u(row.size());
      for (size_t i = 0; i < row.size(); ++i) {
        g[i] = 0.5 + static_cast<double>(i);
        u[i] = 1.5 - static_cast<double>(i * i);
      }
      const ProductDerivatives expected = derivatives_of_product(row, g, u, options);
      const Variable x = leaf(vector_of(row));
      const Variable y = cumprod(x, 0, options);
      const Variable first = grad({y}, {x}, {.create_graph = true, .cotangents = {vector_of(g)}})[0];
      check_near(first, vector_of(expected.first));
      const Variable second = grad({first}, {x}, {.allow_unused = true, .cotangents = {vector_of(u)}})[0];
      check_near(second.defined() ? second : Variable(zeros_like(x)), vector_of(expected.second));
    }
  }
}

TEST_CASE("cumprod: third derivatives at zeros are those of differences") {
  for (const ScanOptions& options : kForms) {
    const GradcheckReport report =
        gradcheck([&](const std::vector<Variable>& x) { return cumprod(x[0], 1, options); },
                  {{"x", f64({2, 0, 3, 0.5, 1, 0, 0, 2, 0, 1, -2, 0}, {3, 4})}}, {.order = 3});
    INFO(report.text());
    CHECK(report.ok);
  }
}

TEST_CASE("cumprod: a long product in f32 does not drift") {
  const Tensor x = full({1 << 16}, 1.0001);
  const double expected = std::pow(static_cast<double>(1.0001F), 1 << 16);
  CHECK(cumprod(x, 0).value().at({(1 << 16) - 1}) == Approx(expected).epsilon(1e-7));
}

TEST_CASE("linear_scan: values and first derivatives are those of the recurrence") {
  for (const bool reverse : {false, true}) {
    for (const int64_t n : {1, 2, 7}) {
      INFO("reverse " << reverse << ", " << n << " steps");
      RandomTensors random(seed(21));
      const Tensor draws[] = {random.floating({n}), random.floating({n}), random.floating({n})};
      const Variable a = leaf(draws[0]);
      const Variable b = leaf(draws[1]);
      const Variable s = linear_scan(a, b, 0, {.reverse = reverse});
      const std::vector<Variable> got = grad({s}, {a, b}, {.cotangents = {draws[2]}});
      const Numbers fa = numbers_of(a), fb = numbers_of(b), g = numbers_of(draws[2]);
      // ds_t / db_j is the product of the a from the step after j up to t.
      Numbers values(fa.size()), da(fa.size()), db(fa.size());
      const auto at = [&](size_t t) { return reverse ? fa.size() - 1 - t : t; };
      for (size_t t = 0; t < fa.size(); ++t) {
        for (size_t j = 0; j <= t; ++j) {
          double product = 1.0;
          for (size_t k = j + 1; k <= t; ++k) product *= fa[at(k)];
          values[at(t)] += product * fb[at(j)];
          db[at(j)] += g[at(t)] * product;
        }
      }
      for (size_t t = 1; t < fa.size(); ++t) da[at(t)] = db[at(t)] * values[at(t - 1)];
      check_near(s, vector_of(values));
      check_near(got[0], vector_of(da));
      check_near(got[1], vector_of(db));
    }
  }
}

TEST_CASE("linear_scan: operands broadcast, axes, and sums and products as special cases") {
  const Tensor b = f64({1, 2, 3, 4, 5, 6}, {2, 3});
  check_near(linear_scan(f64({9, 2, -1}, {3}), b, -1), f64({1, 4, -1, 4, 13, -7}, {2, 3}));
  check_near(linear_scan(f64({9, 2}, {2, 1}), b, 0), f64({1, 2, 3, 6, 9, 12}, {2, 3}));
  check_near(linear_scan(b, f64({1, 2, 3}, {3}), 1, {.reverse = true}), f64({9, 8, 3, 69, 17, 3}, {2, 3}));
  const Variable ones_like_b = ones({2, 3}, {.dtype = DType::f64});
  CHECK(bitwise_equal(linear_scan(ones_like_b, b, 1).value(), cumsum(b, 1).value()));
  const Variable a = leaf(f64({2}, {1}));
  const Variable once = sum(linear_scan(a, b, 1));
  // A row sums up to b0 (1 + a + a^2) + b1 (1 + a) + b2, with the derivative b0 (1 + 2 a) + b1.
  check_near(grad({once}, {a})[0], f64({1 * 5 + 2 + 4 * 5 + 5}, {1}));
  CHECK(linear_scan(zeros({0, 2}), zeros({0, 2}), 0).shape() == Shape{0, 2});
}

TEST_CASE("linear_scan: the first factor has no effect") {
  for (const bool reverse : {false, true}) {
    const Variable a = leaf(reverse ? f64({2, 3, kNan}, {3}) : f64({kNan, 3, 2}, {3}));
    const Variable b = leaf(f64({1, 1, 1}, {3}));
    const Variable s = linear_scan(a, b, 0, {.reverse = reverse});
    check_near(s, reverse ? f64({9, 4, 1}, {3}) : f64({1, 4, 9}, {3}));
    const std::vector<Variable> g = grad({sum(s)}, {a, b});
    check_near(g[0], reverse ? f64({4, 3, 0}, {3}) : f64({0, 3, 4}, {3}));
    check_near(g[1], reverse ? f64({1, 3, 10}, {3}) : f64({10, 3, 1}, {3}));
  }
}

TEST_CASE("scans of integers and bools") {
  const Tensor x = i64({3, -1, 2, 2, 0, 5}, {2, 3});
  const Tensor b = bools({1, 1, 0, 1, 1, 1}, {2, 3});
  CHECK(bitwise_equal(cumsum(b, 1, {.exclusive = true}).value(), i64({0, 1, 2, 0, 1, 2}, {2, 3})));
  CHECK(bitwise_equal(cumprod(b, 1).value(), i64({1, 1, 0, 1, 1, 1}, {2, 3})));
  CHECK(bitwise_equal(cumprod(x, 1).value(), i64({3, -3, -6, 2, 0, 0}, {2, 3})));
  CHECK(bitwise_equal(cumprod(x, 0, {.exclusive = true, .reverse = true}).value(), i64({2, 0, 5, 1, 1, 1}, {2, 3})));
  const int64_t most[] = {INT64_MAX, 2, INT64_MIN};
  CHECK(cumprod(Tensor::from(std::span<const int64_t>(most), {3}), 0).value().at({1}) == -2);
  CHECK(error_text([&] { return linear_scan(x, x, 0); }) ==
        "[linear_scan] expected a floating input (f32 or f64), got i64 [2, 3]; Tensor::to(DType::f32) converts it");
}

// SPDX-License-Identifier: MIT
// C++ numbers that the tensor's dtype cannot represent: comparisons are exact, other functions refuse them.
#include <cmath>
#include <cstdint>
#include <limits>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>

#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"

using namespace gradus;
using namespace gradus::tests;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();

template <class T>
Variable row(const std::vector<T>& values) {
  return Tensor::from(std::span<const T>(values), {static_cast<int64_t>(values.size())});
}

// Compares every comparison of x with b against `holds(a, b)` on numbers that represent both.
template <class T, class Exact>
void check_comparisons(const std::vector<T>& values, double b, Exact exact) {
  const Variable x = row(values);
  const Tensor results[] = {equal(x, b).value(),      not_equal(x, b).value(), less(x, b).value(),
                            less_equal(x, b).value(), greater(x, b).value(),   greater_equal(x, b).value()};
  for (size_t i = 0; i < values.size(); ++i) {
    INFO(values[i] << " and " << b);
    const auto left = exact(values[i]);
    const auto right = exact(b);
    const bool expected[] = {left == right, left != right, left<right, left <= right, left> right, left >= right};
    for (size_t k = 0; k < 6; ++k) {
      INFO("comparison " << k);
      CHECK((results[k].data<bool>()[i]) == expected[k]);
    }
  }
}

}  // namespace

TEST_CASE("integers compared with fractions, NaN, infinities and numbers beyond int64") {
  CHECK(bitwise_equal(less(i64({1, 2, 3}, {3}), 2.5).value(), bools({1, 1, 0}, {3})));
  const std::vector<int64_t> values = {kLeast,  kLeast + 1, -(int64_t{1} << 53) - 1, -3,        -2,   -1, 0, 1, 2, 3,
                                       1 << 24, 16777217,   (int64_t{1} << 53) + 1,  kMost - 1, kMost};
  // A long double represents every int64 and every double.
  const auto exact = [](auto v) { return static_cast<long double>(v); };
  for (double b : {2.5,
                   -2.5,
                   0.5,
                   -0.5,
                   2.0,
                   -2.0,
                   -0.0,
                   1e-300,
                   16777216.5,
                   0x1p53,
                   -0x1p53,
                   0x1p62,
                   0x1p63,
                   -0x1p63,
                   0x1.0000000000001p63,
                   -0x1.0000000000001p63,
                   1e19,
                   -1e19,
                   1e300,
                   -1e300,
                   kInfinity,
                   -kInfinity,
                   std::nan("")}) {
    check_comparisons(values, b, exact);
  }
  CHECK(less(Tensor::empty({0}, DType::i64), std::nan("")).shape() == Shape{0});
}

TEST_CASE("numbers of f32 compared with numbers that f32 does not hold") {
  const float inf = std::numeric_limits<float>::infinity();
  const float most = std::numeric_limits<float>::max();
  const std::vector<float> values = {-inf, -most, -1.0f, 0.0f, 0.1f, 1.0f, most, inf, std::nanf("")};
  const auto exact = [](auto v) { return static_cast<double>(v); };
  for (double b : {1e39, -1e39, 1e300, -1e300, kInfinity, -kInfinity, 0.0, 1.0, std::nan("")}) {
    check_comparisons(values, b, exact);
  }
  // Other numbers are rounded to f32 first.
  CHECK(equal(Variable(full({}, 0.1)), 0.1).value().item<bool>());
}

TEST_CASE("an ignored index of any size is compared as an integer") {
  const Tensor x = f64({1, 2, 0.5, 0, -1, 3}, {2, 3});
  for (int64_t ignored : {kMost, kLeast, (int64_t{1} << 53) + 1, int64_t{-100}}) {
    const int64_t given[] = {1, ignored};
    const Tensor targets = Tensor::from(std::span<const int64_t>(given), {2});
    const double alone = number(cross_entropy(x.slice(0, 0, 1), targets.slice(0, 0, 1)));
    CHECK(number(cross_entropy(x, targets, {.ignore_index = ignored})) == Approx(alone));
    CHECK(number(nll_loss(log_softmax(x), targets, {.ignore_index = ignored})) == Approx(alone));
  }
  // The neighbouring number, which is equal as a double, is a class out of range.
  const int64_t neighbour[] = {1, int64_t{1} << 53};
  CHECK_THROWS_AS(cross_entropy(x, Tensor::from(std::span<const int64_t>(neighbour), {2}),
                                {.ignore_index = (int64_t{1} << 53) + 1}),
                  Error);
}

TEST_CASE("integers take whole numbers only, and say so by the name of the call") {
  const Tensor x = i64({1, 2, 3}, {3});
  const Tensor mask = bools({1, 0, 0}, {3});
  CHECK(bitwise_equal(maximum(x, 2.0).value(), i64({2, 2, 3}, {3})));
  CHECK(bitwise_equal(minimum(x, 2.0).value(), i64({1, 2, 2}, {3})));
  CHECK(bitwise_equal(clamp(x, {.min = 2.0}).value(), i64({2, 2, 3}, {3})));
  CHECK(bitwise_equal(clamp(x, {.min = 2.0, .max = 2.0}).value(), i64({2, 2, 2}, {3})));
  CHECK(bitwise_equal(masked_fill(x, mask, -7.0).value(), i64({-7, 2, 3}, {3})));
  CHECK(bitwise_equal(masked_fill(mask, mask, 0.0).value(), bools({0, 0, 0}, {3})));
  CHECK(error_text([&] { return maximum(x, 2.5); }) == "[maximum] expected a whole number for i64, got 2.5");
  CHECK(error_text([&] { return minimum(x, 1e19); }) == "[minimum] expected a whole number for i64, got 1e+19");
  CHECK(error_text([&] { return clamp(x, {.min = 0.5}); }) == "[clamp] expected a whole number for i64, got 0.5");
  CHECK(error_text([&] { return clamp(x, {.min = 2.0, .max = 1.0}); }) == "[clamp] expected min <= max, got 2 and 1");
  CHECK(error_text([&] { return masked_fill(x, mask, 2.5); }) ==
        "[masked_fill] expected a whole number for i64, got 2.5");
  CHECK(error_text([&] { return masked_fill(mask, mask, 2.0); }) == "[masked_fill] expected 0 or 1 for bool, got 2");
  CHECK(error_text([&] { return equal(mask, 2.0); }) == "[equal] expected 0 or 1 for bool, got 2");
}

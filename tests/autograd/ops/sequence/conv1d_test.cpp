// SPDX-License-Identifier: MIT
// conv1d: known values, values and first derivatives against loops over the definition, padding, long sequences, and
// errors that no example has.
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

const double* begin_of(const Tensor& x) { return x.data<double>(); }

// The results and derivatives of the definition, one multiplication at a time.
struct ByLoops {
  Tensor y, dx, dweight, dbias;
};

Tensor blank(const Shape& shape) { return zeros(shape, {.dtype = DType::f64}); }

// `before`: the zeros in front. g has the shape of y.
ByLoops by_loops(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& g,
                 const Conv1dOptions& options, int64_t before) {
  const int64_t time = x.size(1), in = x.size(2), out = weight.size(0), taps = weight.size(2), steps = g.size(1);
  ByLoops r{blank(g.shape()), blank(x.shape()), blank(weight.shape()), blank(bias.shape())};
  for (int64_t b = 0; b < x.size(0); ++b) {
    for (int64_t t = 0; t < steps; ++t) {
      for (int64_t o = 0; o < out; ++o) {
        const int64_t at_y = (b * steps + t) * out + o;
        const double cotangent = begin_of(g)[at_y];
        double sum = begin_of(bias)[o];
        r.dbias.mutable_data_<double>()[o] += cotangent;
        for (int64_t k = 0; k < taps; ++k) {
          const int64_t step = t * options.stride + k * options.dilation - before;
          if (step < 0 || step >= time) continue;
          for (int64_t c = 0; c < in; ++c) {
            const int64_t at_x = (b * time + step) * in + c, at_w = (o * in + c) * taps + k;
            sum += begin_of(weight)[at_w] * begin_of(x)[at_x];
            r.dx.mutable_data_<double>()[at_x] += begin_of(weight)[at_w] * cotangent;
            r.dweight.mutable_data_<double>()[at_w] += begin_of(x)[at_x] * cotangent;
          }
        }
        r.y.mutable_data_<double>()[at_y] = sum;
      }
    }
  }
  return r;
}

struct Case {
  Shape x;
  Shape weight;
  Conv1dOptions options;
  int64_t before;
};

// The largest errors of conv1d in `dtype`, in units of 2^-23 or 2^-52 of the largest number of each result.
double largest_units(const Case& c, DType dtype) {
  RandomTensors random(seed(41));
  const Tensor x = random.floating(c.x), weight = random.floating(c.weight), bias = random.floating({c.weight[0]});
  const Variable leaves[] = {leaf(x.to(dtype)), leaf(weight.to(dtype)), leaf(bias.to(dtype))};
  const Variable y = conv1d(leaves[0], leaves[1], leaves[2], c.options);
  const Tensor g = random.floating(y.shape());
  const std::vector<Variable> d = grad({y}, {leaves[0], leaves[1], leaves[2]}, {.cotangents = {g.to(dtype)}});
  const ByLoops expected = by_loops(x, weight, bias, g, c.options, c.before);
  const std::pair<Variable, Tensor> pairs[] = {
      {y, expected.y}, {d[0], expected.dx}, {d[1], expected.dweight}, {d[2], expected.dbias}};
  double worst = 0.0;
  for (const auto& [got, right] : pairs) {
    REQUIRE(got.shape() == right.shape());
    const double scale = number(max(abs(Variable(right))));
    const double error = number(max(abs(sub(got.value().to(DType::f64), right))));
    worst = std::max(worst, scale > 0.0 ? error / scale : error);
  }
  return worst / (dtype == DType::f32 ? 0x1p-23 : 0x1p-52);
}

}  // namespace

TEST_CASE("conv1d: known values") {
  const Tensor x = f64({1, -2, 3, 0.5, -1, 4, 2, 2, 0, -3}, {1, 5, 2});
  const Tensor weight = f64({1, 2, -1, 0.5, 0, 1, 3, -2, -1, 0, 2, 1, 4, -0.5, 1, 0}, {2, 2, 4});
  const Tensor bias = f64({0.25, -1}, {2});
  const auto check = [&](int64_t taps, const Conv1dOptions& options, const Tensor& expected) {
    const Variable got = conv1d(x, weight.slice(2, 0, taps), bias, options);
    INFO("got " << to_string(got.value()) << ", expected " << to_string(expected));
    CHECK(bitwise_equal(got.value(), expected));
    const Variable without = conv1d(x, weight.slice(2, 0, taps), {}, options);
    CHECK(bitwise_equal((without + bias).value(), expected));
  };
  check(4, {}, f64({17.75, -6.25, 15.25, 2}, {1, 2, 2}));
  // An even number of steps: one zero in front, two behind.
  check(4, {.padding = ConvPadding::same()},
        f64({-9.75, 5.5, 17.75, -6.25, 15.25, 2, -3.75, 12, -0.75, 6.5}, {1, 5, 2}));
  check(4, {.stride = 2, .padding = 2}, f64({-6.25, 2, 17.75, -6.25, -3.75, 12}, {1, 3, 2}));
  check(3, {.padding = ConvPadding::same(), .dilation = 2},
        f64({13.25, 2, 10.75, 4.75, -5.75, -15, 9.25, -3, -3.75, 17.5}, {1, 5, 2}));
  check(2, {.stride = 2, .padding = 1, .dilation = 3}, f64({2.25, -3, 0.25, -0.5}, {1, 2, 2}));
}

TEST_CASE("conv1d: values and first derivatives are those of loops over the definition") {
  const auto same = ConvPadding::same();
  const Case cases[] = {
      {{2, 7, 3}, {4, 3, 3}, {}, 0},
      {{1, 1, 1}, {1, 1, 1}, {}, 0},
      {{3, 9, 2}, {5, 2, 4}, {.padding = same}, 1},
      {{3, 9, 2}, {5, 2, 5}, {.padding = same}, 2},
      {{2, 4, 2}, {3, 2, 6}, {.padding = same, .dilation = 3}, 7},
      {{2, 11, 3}, {2, 3, 3}, {.stride = 3, .padding = 2, .dilation = 2}, 2},
      {{2, 3, 1}, {2, 1, 2}, {.stride = 2, .padding = 6}, 6},
      {{2, 17, 33}, {17, 33, 3}, {.padding = 1}, 1},
      {{4, 50, 1}, {10, 1, 31}, {.padding = same}, 15},  // the location features of an attention
      {{4, 2000, 8}, {16, 8, 5}, {.padding = same}, 2},  // several pieces of work
      {{70, 40, 8}, {16, 8, 5}, {.padding = 4, .dilation = 2}, 4},
  };
  for (const Case& c : cases) {
    INFO("x " << to_string(c.x) << ", weight " << to_string(c.weight));
    // Measured (seven seeds): up to 5 units in f32 and 4 in f64, where most sums of the drawn numbers are exact.
    CHECK(largest_units(c, DType::f32) < 16);
    CHECK(largest_units(c, DType::f64) < 16);
  }
}

TEST_CASE("conv1d: padding by a number, by same, and by pad are one thing") {
  RandomTensors random(seed(42));
  const Tensor x = random.floating({2, 6, 3});
  const Tensor weight = random.floating({4, 3, 5});
  const Variable two = conv1d(x, weight, {}, {.padding = 2});
  CHECK(bitwise_equal(two.value(), conv1d(x, weight, {}, {.padding = ConvPadding::same()}).value()));
  CHECK(bitwise_equal(two.value(), conv1d(pad(x, {{0, 0}, {2, 2}, {0, 0}}), weight).value()));
  CHECK(conv1d(zeros({2, 0, 3}), zeros({4, 3, 5}), {}, {.padding = ConvPadding::same()}).shape() == Shape{2, 0, 4});
  CHECK(conv1d(x, weight, {}, {.stride = 7, .padding = 5}).shape() == Shape{2, 2, 4});
}

TEST_CASE("conv1d: a step that no window reads has no effect") {
  const double nan = std::nan("");
  const Variable x = leaf(f64({1, 2, nan, 3, 4, nan, nan}, {1, 7, 1}));
  const Variable weight = leaf(f64({1, -1}, {1, 1, 2}));
  const Variable y = conv1d(x, weight, {}, {.stride = 3});
  CHECK(bitwise_equal(y.value(), f64({-1, -1}, {1, 2, 1})));
  const std::vector<Variable> g = grad({sum(y)}, {x, weight});
  CHECK(bitwise_equal(g[0].value(), f64({1, -1, 0, 1, -1, 0, 0}, {1, 7, 1})));
  CHECK(bitwise_equal(g[1].value(), f64({4, 6}, {1, 1, 2})));
}

TEST_CASE("conv1d: padding is not multiplied by the weight, nor by the cotangent") {
  const double infinity = HUGE_VAL;
  const Variable x = leaf(f64({1, 2, 3}, {1, 3, 1}));
  const Variable weight = leaf(f64({infinity, 2, 1}, {1, 1, 3}));
  const Variable y = conv1d(x, weight, {}, {.padding = ConvPadding::same()});
  CHECK(bitwise_equal(y.value(), f64({4, infinity, infinity}, {1, 3, 1})));
  const Tensor cotangent = f64({infinity, 1, 1}, {1, 3, 1});
  const std::vector<Variable> g = grad({y}, {x, weight}, {.cotangents = {cotangent}});
  CHECK(bitwise_equal(g[0].value(), f64({infinity, infinity, 3}, {1, 3, 1})));
  CHECK(bitwise_equal(g[1].value(), f64({3, infinity, infinity}, {1, 1, 3})));
}

TEST_CASE("conv1d: messages that no example has") {
  const Tensor x = zeros({2, 4, 3});
  CHECK(error_text([&] { return conv1d(x, zeros({5, 3})); }) == "[conv1d] expected weight of rank 3, got f32 [5, 3]");
  CHECK(error_text([&] {
          return conv1d(x, zeros({5, 3, 2}, {.dtype = DType::f64}));
        }) == "[conv1d] dtypes differ: f32 [2, 4, 3] and f64 [5, 3, 2]");
  CHECK(error_text([&] {
          return conv1d(x, zeros({5, 3, 2}), {}, {.dilation = int64_t{1} << 40});
        }) == "[conv1d] dilation out of range: expected 1 to 2147483647, got 1099511627776");
  CHECK(error_text([&] {
          return conv1d(x, zeros({5, 3, 3}), {}, {.padding = 1, .dilation = 3});
        }) == "[conv1d] the weight is longer than the padded input: expected at most 6 steps, got 7");
}

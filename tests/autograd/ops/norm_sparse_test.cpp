// SPDX-License-Identifier: MIT
// Layer and RMS norm against NumPy; sparsemax and 1.5-entmax against published values and their optimality conditions.
#include <cmath>
#include <limits>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::RandomTensors;
using detail::ThreadCountScope;

namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

Tensor vjp(const Variable& y, const Variable& x, const Tensor& g) {
  return grad({y}, {x}, {.cotangents = {g}})[0].value();
}

}  // namespace

TEST_CASE("layer_norm and rms_norm: known values") {
  const Tensor x = f64({1, 2, 3, 6, -1, 0.5, 0, 2}, {2, 4});
  const Tensor weight = f64({1, 2, 0.5, -1}, {4});
  const Tensor bias = f64({0, 1, 0, 0.5}, {4});
  const Tensor layer = f64({-1.0690434404458735, -0.0690434404458735, 0, -1.1035651606688102, -1.2701651728573338,
                            1.230939122337697, -0.1732043417532728, -1.0011042951950309},
                           {2, 4});
  const Tensor rms = f64({0.2828427011609112, 1.1313708046436448, 0.4242640517413668, -1.697056206965467,
                          -0.8728712284216602, 0.8728712284216602, 0, -1.7457424568433204},
                         {2, 4});
  CHECK(largest_error(layer_norm(x, {.weight = weight, .bias = bias}).value(), layer) < 1e-14);
  CHECK(largest_error(rms_norm(x, {.weight = weight}).value(), rms) < 1e-14);
  // The same numbers, with the one axis split into two.
  const Shape split{2, 2, 2};
  const Variable two_axes =
      layer_norm(reshape(x, split), {.weight = reshape(weight, {2, 2}), .bias = reshape(bias, {2, 2}), .axes = 2});
  CHECK(largest_error(two_axes.value(), reshape(layer, split).value()) < 1e-14);
  CHECK(layer_norm(f64({5}, {1})).value().at({0}) == 0.0);
  // A large common part costs no accuracy.
  CHECK(largest_error(layer_norm(affine(x, 1.0, 1e6)).value(), layer_norm(x).value()) < 1e-9);
  CHECK(error_text([&] { return layer_norm(x, {.weight = weight, .axes = 2}); }) ==
        "[layer_norm] wrong shape of weight: expected [2, 4], got f64 [4]");
  CHECK(error_text([&] { return rms_norm(x, {.axes = 3}); }) == "[rms_norm] expected 1 <= axes <= 2, got 3");
}

TEST_CASE("layer_norm and rms_norm of many rows: gradients have the same bits with 1, 2 and 3 threads") {
  const uint64_t seed = tests::seed(5);
  INFO("seed " << seed);
  RandomTensors random(seed);
  const Tensor x = random.floating({1001, 67}, DType::f32);
  const Tensor w = random.floating({67}, DType::f32);
  const Tensor g = random.floating({1001, 67}, DType::f32);
  std::vector<Tensor> first;
  for (int threads : {1, 2, 3}) {
    const ThreadCountScope scope(threads);
    const Variable in = leaf(x);
    const Variable weight = leaf(w);
    std::vector<Tensor> got;
    for (const Variable& y : {layer_norm(in, {.weight = weight}), rms_norm(in, {.weight = weight})}) {
      for (const Variable& v : grad({y}, {in, weight}, {.cotangents = {g}})) got.push_back(v.value());
      got.push_back(y.value());
    }
    if (first.empty()) first = got;
    for (size_t i = 0; i < got.size(); ++i) CHECK(bitwise_equal(got[i], first[i]));
  }
}

TEST_CASE("sparsemax and entmax15: published values and Jacobian products") {
  const Variable z = leaf(f64({0.9, 0.3, 0.05, -0.5}, {4}));
  const Tensor v = f64({1, 0, 0, 0.5}, {4});
  CHECK(largest_error(sparsemax(z).value(), f64({0.8, 0.2, 0, 0}, {4})) < 1e-15);
  CHECK(largest_error(vjp(sparsemax(z), z, v), f64({0.5, -0.5, 0, 0}, {4})) < 1e-15);
  CHECK(largest_error(entmax15(z).value(),
                      f64({0.6215822040764264, 0.2385392953804884, 0.1320630834238476, 0.0078154171192378}, {4})) <
        1e-13);
  CHECK(largest_error(vjp(entmax15(z), z, v), f64({0.408661561, -0.235245208, -0.175037675, 0.001621322}, {4})) < 1e-9);
  const Tensor two = f64({2, 1.9, -1}, {3});
  CHECK(largest_error(sparsemax(two).value(), f64({0.55, 0.45, 0}, {3})) < 1e-15);
  CHECK(largest_error(entmax15(two).value(), f64({0.5353332350627564, 0.4646667649372435, 0}, {3})) < 1e-13);
}

TEST_CASE("sparsemax: a tie at the threshold is outside the support, in f32 and f64") {
  for (DType dtype : {DType::f32, DType::f64}) {
    const Variable z = leaf(f64({0.9, 0.3, 0.1, -0.5}, {4}).to(dtype));
    CHECK(sparsemax(z).value().at({2}) == 0.0);
    const Tensor g = vjp(sparsemax(z), z, f64({1, 0, 0, 0.5}, {4}).to(dtype));
    CHECK(largest_error(g, f64({0.5, -0.5, 0, 0}, {4})) < 1e-6);
  }
  // Equal elements get equal shares.
  CHECK(largest_error(sparsemax(f64({3, 3, 3}, {3})).value(), f64({1.0 / 3, 1.0 / 3, 1.0 / 3}, {3})) < 1e-15);
  CHECK(largest_error(entmax15(f64({3, 3}, {2})).value(), f64({0.5, 0.5}, {2})) < 1e-15);
}

TEST_CASE("sparsemax and entmax15: rows sum to 1, shifts change nothing, and the threshold is one for all") {
  const uint64_t seed = tests::seed(6);
  INFO("seed " << seed);
  const Tensor x = RandomTensors(seed).floating({200, 33}, DType::f64, between(-3.0, 3.0));
  for (int power : {1, 2}) {
    const auto f = [&](const Variable& z) { return power == 1 ? sparsemax(z) : entmax15(z); };
    const Tensor y = f(x).value();
    CHECK(largest_error(sum(y, {1}).value(), ones({200}, {.dtype = DType::f64})) < 1e-14);
    CHECK(largest_error(f(affine(x, 1.0, 64.0)).value(), y) < 1e-12);
    double worst = 0.0;
    for (int64_t r = 0; r < 200; ++r) {
      // Where y > 0, x / power - y^(1 / power) is the threshold. Elsewhere x / power is below it.
      double low = kInf, high = -kInf, below = -kInf;
      for (int64_t i = 0; i < 33; ++i) {
        const double z = x.at({r, i}) / power;
        const double t = z - std::pow(y.at({r, i}), 1.0 / power);
        if (y.at({r, i}) > 0.0) {
          low = std::min(low, t);
          high = std::max(high, t);
        } else {
          below = std::max(below, z);
        }
      }
      worst = std::max({worst, high - low, below - low});
    }
    CHECK(worst < 1e-7);  // a square root near 0 halves the digits
  }
}

TEST_CASE("sparsemax and entmax15: masks, infinities, NaN, any axis, threads") {
  const Tensor x = f64({kNaN, 1, 1, kInf, -kInf, 0}, {2, 3});
  const Tensor keep = bools({0, 1, 1, 0, 0, 0}, {2, 3});
  for (int power : {1, 2}) {
    const auto f = [&](const Variable& z, int64_t axis, const Variable& mask) {
      return power == 1 ? sparsemax(z, axis, mask) : entmax15(z, axis, mask);
    };
    const Variable in = leaf(x);
    const Variable y = f(in, -1, keep);
    CHECK(largest_error(y.value(), f64({0, 0.5, 0.5, 0, 0, 0}, {2, 3})) < 1e-15);
    CHECK(all_zero(masked_select(y, bools({1, 0, 0, 1, 1, 1}, {2, 3})).value()));
    const Tensor g = vjp(y, in, f64({kNaN, 1, 3, kNaN, kInf, 1}, {2, 3}));
    CHECK(largest_error(g, power == 1 ? f64({0, -1, 1, 0, 0, 0}, {2, 3})
                                      : f64({0, -std::sqrt(0.5), std::sqrt(0.5), 0, 0, 0}, {2, 3})) < 1e-15);
    CHECK(std::isnan(f(x, -1, {}).value().at({0, 1})));
    CHECK(std::isnan(f(f64({-kInf, -kInf}, {2}), 0, {}).value().at({1})));
    CHECK(bitwise_equal(f(f64({-kInf, 7}, {2}), 0, {}).value(), f64({0, 1}, {2})));
    const Tensor z = RandomTensors(4).floating({3, 500, 41}, DType::f32);
    const Tensor columns = f(z, 1, {}).value();
    CHECK(bitwise_equal(columns, transpose(f(transpose(z, 1, 2), -1, {}), 1, 2).value()));
    for (int threads : {1, 2, 3}) {
      const ThreadCountScope scope(threads);
      CHECK(bitwise_equal(f(z, 1, {}).value(), columns));
    }
  }
}

TEST_CASE("norms and sparse probabilities: derivatives of compositions") {
  const std::vector<DrawnFunction> functions = {
      {"layer norm of two axes",
       {real({2, 2, 3}, spaced()), real({2, 3}), real({2, 3})},
       [](const std::vector<Variable>& x) {
         return std::vector<Variable>{layer_norm(x[0], {.weight = x[1], .bias = x[2], .axes = 2})};
       }},
      {"layer norm with bias alone",
       {real({2, 5}, spaced()), real({5})},
       [](const std::vector<Variable>& x) { return std::vector<Variable>{layer_norm(x[0], {.bias = x[1]})}; }},
      {"rms norm",
       {real({2, 5}, spaced()), real({5})},
       [](const std::vector<Variable>& x) { return std::vector<Variable>{rms_norm(x[0], {.weight = x[1]})}; }},
      {"sparse probabilities of columns",
       {fixed(f64({0.9, 2.0, 0.3, 1.9, 0.05, -1.0, -0.5, 0.0}, {4, 2}))},
       [](const std::vector<Variable>& x) {
         return std::vector<Variable>{square(sparsemax(x[0], 0)), square(entmax15(x[0], 0))};
       }},
  };
  for (const DrawnFunction& f : functions) check_derivatives(f);
}

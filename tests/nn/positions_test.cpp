// SPDX-License-Identifier: MIT
// Positions: the formulas, what offsets mean, derivatives and messages.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;
using tests::error_text;

namespace {

constexpr RotaryPairing kPairings[] = {RotaryPairing::interleaved, RotaryPairing::half_split};

Variable random_steps(const Shape& shape, uint64_t seed) { return RandomTensors(seed).floating(shape, DType::f64); }

}  // namespace

TEST_CASE("sinusoidal positions are sines and cosines of position / base^(2i / size)") {
  const Tensor at_one = sinusoidal_positions(2, 4, {.dtype = DType::f64}).select(0, 1);
  const double expected[] = {0.8414709848078965, 0.5403023058681398, 0.009999833334166664, 0.9999500004166653};
  for (int64_t j = 0; j < 4; ++j) CHECK(std::abs(at_one.at({j}) - expected[j]) < 1e-15);
  const Tensor longer = sinusoidal_positions(9, 5, {.dtype = DType::f64});
  const Tensor rest = sinusoidal_positions(3, 5, {.offset = 6, .dtype = DType::f64});
  CHECK(bitwise_equal(longer.slice(0, 6).contiguous(), rest));
  CHECK(std::abs(longer.at({8, 4}) - std::sin(8.0 * std::pow(10000.0, -4.0 / 5.0))) < 1e-15);
  CHECK(sinusoidal_positions(1, 2).dtype() == DType::f32);
  CHECK(sinusoidal_positions(0, 3).shape() == Shape{0, 3});
}

TEST_CASE("LearnedPositions gives rows of its weight, which get the gradient") {
  Generator generator(1);
  LearnedPositions layer({.max_length = 5, .size = 3, .dtype = DType::f64}, generator);
  const Parameter& weight = *layer.parameters()[0].parameter;
  CHECK(bitwise_equal(layer(2, 3).value().contiguous(), weight.value().slice(0, 3).contiguous()));
  const Tensor gradient = grad({sum(layer(2))}, {weight.variable()})[0].value();
  CHECK(gradient.at({1, 2}) == 1.0);
  CHECK(gradient.at({2, 0}) == 0.0);
  CHECK(error_text([&] { return layer(3, 3); }) ==
        "[learned_positions] expected at most 5 positions, got 3 from position 3 (in learned_positions)");
}

TEST_CASE("rotary turns each pair by position base^(-2k / d)") {
  const Variable x = random_steps({2, 3, 4, 6}, 3);
  for (const RotaryPairing pairing : kPairings) {
    const Tensor y = rotary(x, {.pairing = pairing, .offset = 5, .base = 50.0}).value().contiguous();
    double worst = 0.0;
    for (int64_t t = 0; t < 4; ++t) {
      for (int64_t k = 0; k < 3; ++k) {
        const bool halves = pairing == RotaryPairing::half_split;
        const int64_t first = halves ? k : 2 * k, second = halves ? k + 3 : 2 * k + 1;
        const double angle = static_cast<double>(t + 5) * std::pow(50.0, -2.0 * static_cast<double>(k) / 6.0);
        const double a = x.value().at({1, 2, t, first}), b = x.value().at({1, 2, t, second});
        worst = std::max(worst, std::abs(y.at({1, 2, t, first}) - (a * std::cos(angle) - b * std::sin(angle))));
        worst = std::max(worst, std::abs(y.at({1, 2, t, second}) - (a * std::sin(angle) + b * std::cos(angle))));
      }
    }
    CHECK(worst < 1e-15);
  }
}

TEST_CASE("rotary: products of queries and keys depend on the distance alone") {
  const Variable q = random_steps({1, 1, 1, 8}, 4), k = random_steps({1, 1, 1, 8}, 5);
  for (const RotaryPairing pairing : kPairings) {
    const auto score = [&](int64_t at, int64_t of) {
      return sum(rotary(q, {.pairing = pairing, .offset = at}) * rotary(k, {.pairing = pairing, .offset = of}))
          .value()
          .at({});
    };
    CHECK(std::abs(score(7, 4) - score(103, 100)) < 1e-13);
    CHECK(std::abs(score(7, 4) - score(7, 5)) > 1e-3);
  }
}

TEST_CASE("rotary: the two pairings are the same function of elements in another order") {
  const Variable x = random_steps({2, 5, 6}, 6);
  const Tensor order = Tensor::from({0, 2, 4, 1, 3, 5}, {6}, {.dtype = DType::i64});
  const Variable halves = rotary(index_select(x, -1, order), {.pairing = RotaryPairing::half_split});
  CHECK(bitwise_equal(halves.value().contiguous(), index_select(rotary(x), -1, order).value().contiguous()));
}

TEST_CASE("rotary: derivatives of both orders, and a continued sequence is the end of the whole one") {
  const uint64_t seed = tests::seed(7);
  const Variable x = random_steps({2, 2, 3, 4}, seed);
  for (const RotaryPairing pairing : kPairings) {
    const auto f = [&](const std::vector<Variable>& in) {
      return std::vector<Variable>{rotary(in[0], {.pairing = pairing, .offset = 2})};
    };
    const GradcheckReport report = gradcheck(f, {{"x", x.value()}}, {.order = 2, .seed = seed});
    INFO(report.text());
    CHECK(report.ok);
    const Variable whole = rotary(x, {.pairing = pairing});
    const Variable end = rotary(slice(x, 2, 1), {.pairing = pairing, .offset = 1});
    CHECK(bitwise_equal(slice(whole, 2, 1).value().contiguous(), end.value().contiguous()));
  }
}

TEST_CASE("ALiBi: slopes of any number of heads, and the bias of each distance") {
  const Tensor eight = alibi_slopes(8, {.dtype = DType::f64});
  for (int64_t h = 0; h < 8; ++h) CHECK(eight.at({h}) == std::exp2(-static_cast<double>(h + 1)));
  // Four heads, then every second slope of eight.
  const Tensor six = alibi_slopes(6, {.dtype = DType::f64});
  const double expected[] = {0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125};
  for (int64_t h = 0; h < 6; ++h) CHECK(six.at({h}) == expected[h]);
  CHECK(alibi_slopes(1).at({0}) == 0.00390625);
  const Tensor bias = alibi_bias(6, 2, 5, {.dtype = DType::f64});
  CHECK(bias.shape() == Shape{1, 6, 2, 5});
  for (int64_t j = 0; j < 5; ++j) {
    CHECK(bias.at({0, 4, 0, j}) == -0.5 * std::abs(static_cast<double>(3 - j)));
    CHECK(bias.at({0, 1, 1, j}) == -0.0625 * static_cast<double>(4 - j));
  }
}

TEST_CASE("RelativeBias has the buckets of T5, and each bucket's weight gets the gradient of its distances") {
  Generator generator(8);
  RelativeBias both({.heads = 2, .dtype = DType::f64}, generator);
  RelativeBias causal({.heads = 2, .causal = true, .dtype = DType::f64}, generator);
  // Where each bucket begins, computed by the published formula.
  const int64_t of_half[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91};
  const int64_t beyond[] = {16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113};
  for (int64_t bucket = 0; bucket < 16; ++bucket) {
    CHECK(both.bucket(-of_half[bucket]) == bucket);
    if (bucket > 0) CHECK(both.bucket(-of_half[bucket] + 1) == bucket - 1);
    if (bucket > 0) CHECK(both.bucket(of_half[bucket]) == 16 + bucket);
    CHECK(causal.bucket(-bucket) == bucket);
    CHECK(causal.bucket(-beyond[bucket]) == 16 + bucket);
    CHECK(causal.bucket(-beyond[bucket] + 1) == 15 + bucket);
  }
  CHECK(both.bucket(-100000) == 15);
  CHECK(causal.bucket(5) == 0);
  const Variable bias = both(2, 4);  // the queries are at positions 2 and 3
  REQUIRE(bias.shape() == Shape{1, 2, 2, 4});
  const Parameter& weight = *both.parameters()[0].parameter;
  CHECK(bias.value().at({0, 1, 0, 3}) == weight.value().at({17, 1}));
  CHECK(bias.value().at({0, 0, 1, 0}) == weight.value().at({3, 0}));
  const Tensor gradient = grad({sum(bias)}, {weight.variable()})[0].value();
  CHECK(gradient.at({0, 0}) == 2.0);
  CHECK(gradient.at({1, 1}) == 2.0);
  CHECK(gradient.at({17, 0}) == 1.0);
  CHECK(gradient.at({18, 0}) == 0.0);
}

TEST_CASE("positions name what is wrong") {
  Generator g(1);
  CHECK(error_text([] { return sinusoidal_positions(-1, 2); }) ==
        "[sinusoidal_positions] expected length >= 0, size >= 1, offset >= 0 and base > 0, got -1, 2, 0 and 10000");
  CHECK(error_text([] {
          return rotary(zeros({2, 3}));
        }) == "[rotary] expected floating x [.., T, d] with an even d, got f32 [2, 3]");
  CHECK(error_text([] {
          return rotary(zeros({2, 4}), {.offset = -1});
        }) == "[rotary] expected offset >= 0 and base > 0, got -1 and 10000");
  CHECK(error_text([] { return alibi_slopes(0); }) == "[alibi_slopes] expected heads >= 1, got 0");
  CHECK(error_text([] { return alibi_bias(2, 3, 2); }) ==
        "[alibi_bias] expected heads >= 1 and 0 <= queries <= keys, got 2, 3 and 2");
  CHECK(error_text([&] { LearnedPositions layer({.size = 2}, g); }) ==
        "[learned_positions] expected max_length >= 1, got 0");
  CHECK(error_text([&] { RelativeBias layer({}, g); }) == "[relative_bias] expected heads >= 1, got 0");
  CHECK(error_text([&] { RelativeBias layer({.heads = 1, .buckets = 5}, g); }) ==
        "[relative_bias] expected 2 buckets or more, an even number unless causal, got 5");
  CHECK(error_text([&] { RelativeBias layer({.heads = 1, .max_distance = 8}, g); }) ==
        "[relative_bias] expected max_distance > 8, got 8");
  RelativeBias bias({.heads = 1}, g);
  CHECK(error_text([&] { return bias(3, 2); }) ==
        "[relative_bias] expected heads >= 1 and 0 <= queries <= keys, got 1, 3 and 2 (in relative_bias)");
}

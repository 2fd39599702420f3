// SPDX-License-Identifier: MIT
// Monotonic attention: published numbers, the recursion against the form with cumprod and cumsum, decoding.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/chain/chain.hpp>
#include <gradus/nn/check/gradcheck.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;
using tests::error_text;

namespace {

// An attention whose scores are its queries: the keys are the unit vectors.
struct Monotonic {
  explicit Monotonic(int64_t keys, const MonotonicNormaliserOptions& options = {})
      : generator(3),
        layer({.query_size = keys,
               .key_size = keys,
               .score = Score::dot(),
               .normaliser = Normaliser::monotonic(options),
               .dtype = DType::f64},
              generator) {}

  AttentionOutput operator()(const Variable& scores, const Mask& mask = Mask::none(), const Alignment& alignment = {}) {
    const int64_t n = scores.size(2);
    Tensor unit = zeros({scores.size(0), n, n}, {.dtype = DType::f64});
    for (int64_t j = 0; j < n; ++j) unit.select(1, j).select(1, j).fill_(1.0);
    return layer(scores, layer.prepare(unit, mask), {.alignment = alignment, .weights = ReturnWeights::before_dropout});
  }

  Generator generator;
  Attention layer;
};

Variable logit(const Variable& p) { return log(p) - log(1.0 - p); }

// alpha_i = p_i cumprod(1 - p_i) cumsum(alpha_{i-1} / cumprod(1 - p_i)), with exclusive products (Raffel et al.
// 2017), without the bound on the divisor that the paper needs.
Variable by_products(const Variable& scores) {
  const Variable p = sigmoid(scores);
  const Variable passed = cumprod(1.0 - p, 2, {.exclusive = true});
  Tensor start = zeros({scores.size(0), scores.size(2)}, {.dtype = DType::f64});
  start.slice(1, 0, 1).fill_(1.0);
  Variable last = start;
  std::vector<Variable> rows;
  for (int64_t i = 0; i < scores.size(1); ++i) {
    const Variable pass = select(passed, 1, i);
    last = select(p, 1, i) * pass * cumsum(last / pass, 1);
    rows.push_back(last);
  }
  return stack(rows, 1);
}

// The recursion that this solves, one number at a time; only keys before `length`.
Tensor by_recursion(const Tensor& scores, int64_t length) {
  Tensor out = zeros(scores.shape(), {.dtype = DType::f64});
  double* weight = out.mutable_data_<double>();
  const int64_t keys = scores.size(2);
  for (int64_t b = 0; b < scores.size(0); ++b) {
    std::vector<double> last(static_cast<size_t>(keys), 0.0);
    last[0] = 1.0;
    for (int64_t i = 0; i < scores.size(1); ++i) {
      double q = 0.0, before = 0.0;
      for (int64_t j = 0; j < keys; ++j, ++weight) {
        const double p = j < length ? 1.0 / (1.0 + std::exp(-scores.at({b, i, j}))) : 0.0;
        q = (1.0 - before) * q + last[static_cast<size_t>(j)];
        before = p;
        *weight = p * q;
      }
      for (int64_t j = 0; j < keys; ++j) last[static_cast<size_t>(j)] = weight[j - keys];
    }
  }
  return out;
}

}  // namespace

TEST_CASE("monotonic attention gives the published weights") {
  Monotonic attention(4);
  const Variable p = tests::f64({.7, .2, .9, .4, /**/ .1, .6, .5, .8}, {1, 2, 4});
  const AttentionOutput out = attention(logit(p));
  const Tensor expected = tests::f64({.7, .06, .216, .0096, /**/ .07, .414, .246, .20448}, {1, 2, 4});
  CHECK(largest_error(out.weights.value(), expected) < 1e-9);
  CHECK(largest_error(sum(out.weights, {2}).value(), tests::f64({.9856, .93448}, {1, 2})) < 1e-9);
  CHECK(bitwise_equal(out.alignment.last.value(), out.weights.value().select(1, 1)));
  CHECK(largest_error(out.alignment.total.value(), sum(out.weights, {1}).value()) < 1e-15);
}

TEST_CASE("monotonic attention: the scan, the recursion, and the form with cumprod and cumsum are equal") {
  const uint64_t seed = tests::seed(131);
  INFO("seed " << seed);
  RandomTensors random(seed);
  for (const int64_t keys : {1, 2, 5, 12}) {
    Monotonic attention(keys);
    const Variable z = leaf(random.floating({2, 4, keys}));
    const AttentionOutput out = attention(z);
    const Variable products = by_products(z);
    // Measured over five seeds: at most 1.7e-16.
    CHECK(largest_error(out.weights.value(), by_recursion(z.value(), keys)) < 1e-14);
    CHECK(largest_error(out.weights.value(), products.value()) < 1e-14);
    const Variable cotangent = random.floating(z.shape());
    const Variable by_scan = grad({out.weights}, {z}, {.cotangents = {cotangent}})[0];
    const Variable by_division = grad({products}, {z}, {.cotangents = {cotangent}})[0];
    CHECK(largest_error(by_scan.value(), by_division.value()) < 1e-14);
    const Tensor sums = sum(out.weights, {2}).value();
    for (int64_t i = 0; i < 4; ++i) CHECK(sums.at({0, i}) <= 1.0 + 1e-15);
  }
}

TEST_CASE("monotonic attention: scores at which the products vanish have right weights and finite gradients") {
  Monotonic attention(40);
  Tensor z = full({1, 3, 40}, 30.0, {.dtype = DType::f64});
  z.select(1, 1).fill_(-45.0);
  z.select(1, 2).slice(1, 20, 40).fill_(-800.0);
  const Variable scores = leaf(z);
  const AttentionOutput out = attention(scores);
  CHECK(largest_error(out.weights.value(), by_recursion(z, 40)) < 1e-14);
  CHECK(out.weights.value().at({0, 0, 0}) == Approx(1.0));
  CHECK(!all_finite(by_products(scores).value()));
  CHECK(all_finite(grad({sum(square(out.weights))}, {scores})[0].value()));
}

TEST_CASE("monotonic attention: derivatives, masks, and the same step by step") {
  const uint64_t seed = tests::seed(132);
  INFO("seed " << seed);
  RandomTensors random(seed);
  Monotonic attention(4);
  const Mask mask = Mask::from_lengths(tests::i64({4, 2}, {2}));
  const std::vector<NamedInput> inputs = {{"scores", random.floating({2, 3, 4})},
                                          {"last", random.floating({2, 4}, DType::f64, {.low = 0.1, .high = 0.3})}};
  const GradcheckReport report = gradcheck(attention.layer, inputs,
                                           [&](const std::vector<Variable>& in) {
                                             const AttentionOutput out =
                                                 attention(in[0], mask, {.last = in[1], .total = in[1]});
                                             return std::vector<Variable>{out.weights, out.alignment.total};
                                           },
                                           {.order = 2});
  INFO(report.text());
  CHECK(report.ok);
  const Variable z = inputs[0].value;
  const AttentionOutput all = attention(z, mask);
  CHECK(largest_error(all.weights.value().select(0, 1), by_recursion(z.value(), 2).select(0, 1)) < 1e-15);
  CHECK(all_zero(all.weights.value().select(0, 1).slice(1, 2, 4)));
  Alignment alignment;
  for (int64_t i = 0; i < 3; ++i) {
    const AttentionOutput one = attention(narrow(z, 1, i, 1), mask, alignment);
    alignment = one.alignment;
    CHECK(bitwise_equal(one.weights.value(), all.weights.value().slice(1, i, i + 1)));
  }
  CHECK(bitwise_equal(alignment.last.value(), all.alignment.last.value()));
  CHECK(largest_error(alignment.total.value(), all.alignment.total.value()) < 1e-15);
}

TEST_CASE("monotonic attention chooses one key in evaluation mode, never before the last one, or none") {
  Monotonic attention(4);
  attention.layer.eval_();
  const Tensor z = tests::f64({-1, 2, 3, -1, /**/ 5, -1, -2, 1, /**/ 1, 1, 1, -1, /**/ 9, 9, 9, 9}, {1, 4, 4});
  // The third query may not go back, and stops nowhere; so does the last one.
  const Tensor expected = tests::f64({0, 1, 0, 0, /**/ 0, 0, 0, 1, /**/ 0, 0, 0, 0, /**/ 0, 0, 0, 0}, {1, 4, 4});
  CHECK(bitwise_equal(attention(z).weights.value(), expected));
  const Mask mask = Mask::keys(tests::bools({1, 0, 1, 1}, {1, 4}));
  CHECK(bitwise_equal(attention(z, mask).weights.value().select(1, 0), tests::f64({0, 0, 1, 0}, {1, 4})));
}

TEST_CASE("monotonic attention: noise is drawn in training mode alone, and energies have their offset") {
  const Tensor z = tests::f64({.5, -.2, .1}, {1, 1, 3});
  Monotonic noisy(3, {.noise = 1.0, .seed = 4}), quiet(3);
  Generator same(4);
  const Tensor noise = normal({1, 1, 3}, same, {.dtype = DType::f64});
  CHECK(bitwise_equal(noisy(z).weights.value(), quiet((Variable(z) + Variable(noise)).value()).weights.value()));
  noisy.layer.eval_();
  quiet.layer.eval_();
  CHECK(bitwise_equal(noisy(z).weights.value(), quiet(z).weights.value()));

  Generator generator(6);
  Attention energy({.query_size = 2,
                    .key_size = 2,
                    .score = Score::additive({.attention_size = 4, .offset = -2.0}),
                    .normaliser = Normaliser::none(),
                    .dtype = DType::f64},
                   generator);
  const auto value = [&](const std::string& name) {
    for (const NamedTensor& each : energy.state_dict()) {
      if (each.name == name) return each.value;
    }
    return Tensor();
  };
  const Tensor q = tests::f64({.3, -.8}, {1, 1, 2}), k = tests::f64({.5, .9}, {1, 1, 2});
  double sum_of_units = 0.0, squares = 0.0;
  for (int64_t a = 0; a < 4; ++a) {
    double x = value("score.query_proj.bias").at({a});
    for (int64_t d = 0; d < 2; ++d) {
      x += value("score.query_proj.weight").at({a, d}) * q.at({0, 0, d});
      x += value("score.key_proj.weight").at({a, d}) * k.at({0, 0, d});
    }
    sum_of_units += value("score.v").at({a}) * std::tanh(x);
    squares += std::pow(value("score.v").at({a}), 2);
  }
  CHECK(value("score.gain").at({0}) == 0.5);
  const Tensor got = energy(q, energy.prepare(k), {.weights = ReturnWeights::before_dropout}).weights.value();
  CHECK(got.at({0, 0, 0}) == Approx(0.5 * sum_of_units / std::sqrt(squares) - 2.0).epsilon(1e-14));
}

TEST_CASE("monotonic attention: messages") {
  CHECK(error_text([] { Monotonic refused(2, {.noise = -1}); }) ==
        "[monotonic_normaliser] expected noise >= 0, got -1");
  Generator generator(1);
  CHECK(error_text([&] {
          Attention layer(
              {.query_size = 2, .key_size = 2, .normaliser = Normaliser::monotonic(), .over = NormaliseOver::queries},
              generator);
        }) == "[attention] a score or normaliser that depends on earlier weights needs NormaliseOver::keys");
  Monotonic attention(3);
  const Variable z = zeros({1, 1, 3}, {.dtype = DType::f64});
  const Variable good = zeros({1, 3}, {.dtype = DType::f64}), bad = zeros({3}, {.dtype = DType::f64});
  CHECK(error_text([&] { return attention(z, Mask::none(), {.last = good, .total = {}}); }) ==
        "[attention] expected alignment.last and alignment.total, or neither (in attention)");
  CHECK(error_text([&] { return attention(z, Mask::none(), {.last = bad, .total = good}); }) ==
        "[attention] wrong alignment.last: expected [1, 3], got f64 [3] (in attention)");
  CHECK(error_text([&] { return attention(z, Mask::none(), {.last = good, .total = bad}); }) ==
        "[attention] wrong alignment.total: expected [1, 3], got f64 [3] (in attention)");
}

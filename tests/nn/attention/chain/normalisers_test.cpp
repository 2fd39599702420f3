// SPDX-License-Identifier: MIT
// The normalisers of the attention chain: published numbers, sinks, noise, one key chosen, normalising over queries.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/chain/chain.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/nn/attention/chain/chain_cases.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;
using tests::error_text;

namespace {

Tensor numbers(std::initializer_list<double> values) {
  return Tensor::from(values, {1, 1, static_cast<int64_t>(values.size())}, {.dtype = DType::f64});
}

// An attention whose scores are its queries: the keys are the unit vectors.
struct OfScores {
  OfScores(int64_t keys, const Normaliser& normaliser, NormaliseOver over = NormaliseOver::keys)
      : generator(7),
        layer({.query_size = keys,
               .key_size = keys,
               .score = Score::dot(),
               .normaliser = normaliser,
               .over = over,
               .dtype = DType::f64},
              generator) {}

  AttentionOutput operator()(const Variable& scores, const Mask& mask = Mask::none(), const Variable& bias = {}) {
    const int64_t n = scores.size(2);
    Tensor unit = zeros({scores.size(0), n, n}, {.dtype = DType::f64});
    for (int64_t j = 0; j < n; ++j) unit.select(1, j).select(1, j).fill_(1.0);
    return layer(scores, layer.prepare(unit, mask), {.bias = bias, .weights = ReturnWeights::before_dropout});
  }
  Tensor weights(const Variable& scores, const Mask& mask = Mask::none()) {
    return (*this)(scores, mask).weights.value();
  }

  Generator generator;
  Attention layer;
};

Mask keep(std::initializer_list<double> values, const Shape& shape) {
  return Mask::keep(Tensor::from(values, shape, {.dtype = DType::boolean}));
}

}  // namespace

TEST_CASE("softmax, sparsemax and entmax15 give the published weights and products with their Jacobians") {
  struct Expected {
    Normaliser normaliser;
    Tensor weights;
    Tensor product;
  };
  const Expected all[] = {{Normaliser::softmax(), numbers({.449878268, .246898428, .192284689, .110938615}),
                           numbers({.222533376, -.124769522, -.097170601, -.000593253})},
                          {Normaliser::sparsemax(), numbers({.8, .2, 0, 0}), numbers({.5, -.5, 0, 0})},
                          {Normaliser::entmax15(), numbers({.621582204, .238539295, .132063083, .007815417}),
                           numbers({.408661561, -.235245208, -.175037675, .001621322})}};
  const Tensor v = numbers({1, 0, 0, .5});
  for (const Expected& expected : all) {
    OfScores attention(4, expected.normaliser);
    const Variable z = leaf(numbers({.9, .3, .05, -.5}));
    const AttentionOutput out = attention(z);
    CHECK(largest_error(out.weights.value(), expected.weights) < 1e-9);
    CHECK(largest_error(out.context.value(), expected.weights) < 1e-9);
    // The Jacobians are symmetric.
    const Variable product = grad({out.weights}, {z}, {.cotangents = {v}})[0];
    CHECK(largest_error(product.value(), expected.product) < 1e-9);
  }
}

TEST_CASE("a sink takes its share of each row, is a score like the others, and gets the gradient of its share") {
  const Tensor z = numbers({.9, .3, -.5});
  const double e0 = std::exp(.9), e1 = std::exp(.3), e2 = std::exp(-.5), all = e0 + e1 + e2;
  OfScores zero(3, Normaliser::softmax({.sink = Sink::zero}));
  CHECK(largest_error(zero.weights(z), numbers({e0 / (1 + all), e1 / (1 + all), e2 / (1 + all)})) < 1e-15);
  OfScores learned(3, Normaliser::softmax({.sink = Sink::learned}));
  CHECK(bitwise_equal(learned.weights(z), zero.weights(z)));
  learned.layer.load_state_dict({{"normaliser.sink", Tensor::from({0.7}, {1}, {.dtype = DType::f64})}});
  const AttentionOutput out = learned(z);
  const double es = std::exp(.7);
  CHECK(largest_error(out.weights.value(), numbers({e0 / (es + all), e1 / (es + all), e2 / (es + all)})) < 1e-15);
  // d weight_0 / d sink = -weight_0 share
  const Variable& sink = learned.layer.parameters()[0].parameter->variable();
  const Variable gradient = grad({select(select(select(out.weights, 2, 0), 1, 0), 0, 0)}, {sink})[0];
  CHECK(gradient.value().at({0}) == Approx(-e0 / (es + all) * es / (es + all)).epsilon(1e-13));
  // Scores far below and far above the sink.
  CHECK(largest_error(zero.weights(numbers({-800, -900, -1000})), numbers({0, 0, 0})) == 0.0);
  CHECK(largest_error(zero.weights(numbers({800, 0, 0})), numbers({1, 0, 0})) == 0.0);
  // The temperature divides the sink too.
  OfScores warm(3, Normaliser::softmax({.temperature = 2.0, .sink = Sink::learned}));
  warm.layer.load_state_dict({{"normaliser.sink", Tensor::from({1.4}, {1}, {.dtype = DType::f64})}});
  CHECK(largest_error(warm.weights(numbers({1.8, .6, -1.0})), out.weights.value()) < 1e-15);
}

TEST_CASE("sigmoid weights count only the keys that a query may attend to") {
  OfScores attention(4, Normaliser::sigmoid());
  const Tensor z = numbers({.9, .3, .05, -.5});
  const auto weight = [](double score, double n) { return 1.0 / (1.0 + std::exp(-score) * n); };
  CHECK(largest_error(attention.weights(z), numbers({weight(.9, 4), weight(.3, 4), weight(.05, 4), weight(-.5, 4)})) <
        1e-15);
  CHECK(largest_error(attention.weights(z, keep({1, 0, 1, 0}, {4})), numbers({weight(.9, 2), 0, weight(.05, 2), 0})) <
        1e-15);
  OfScores biased(4, Normaliser::sigmoid({.bias = -1.5}));
  CHECK(biased.weights(z).at({0, 0, 1}) == Approx(1.0 / (1.0 + std::exp(1.2))).epsilon(1e-14));
}

TEST_CASE("hard attention chooses the first of the largest scores and has the gradient of softmax") {
  const uint64_t seed = tests::seed(71);
  INFO("seed " << seed);
  RandomTensors random(seed);
  OfScores hard(5, Normaliser::hard()), soft(5, Normaliser::softmax());
  CHECK(bitwise_equal(hard.weights(numbers({1, 3, 2, 3, 0})), numbers({0, 1, 0, 0, 0})));
  CHECK(bitwise_equal(hard.weights(numbers({1, 3, 2, 3, 0}), keep({1, 0, 1, 1, 1}, {5})), numbers({0, 0, 0, 1, 0})));
  CHECK(all_zero(hard.weights(numbers({1, 3, 2, 3, 0}), keep({0}, {1}))));
  const Variable z = leaf(random.floating({2, 3, 5}));
  const Variable cotangent = random.floating({2, 3, 5});
  const Mask mask = keep({1, 1, 0, 1, 1, /**/ 1, 1, 1, 1, 1, /**/ 0, 0, 0, 0, 0}, {3, 5});
  const AttentionOutput chosen = hard(z, mask);
  CHECK(all_zero((chosen.weights * (chosen.weights - 1.0)).value()));
  CHECK(bitwise_equal(sum(chosen.weights, {-1}).value(),
                      Tensor::from({1, 1, 0, 1, 1, 0}, {2, 3}, {.dtype = DType::f64})));
  const Variable got = grad({chosen.weights}, {z}, {.cotangents = {cotangent}})[0];
  const Variable expected = grad({soft(z, mask).weights}, {z}, {.cotangents = {cotangent}})[0];
  CHECK(bitwise_equal(got.value(), expected.value()));
}

TEST_CASE("Gumbel noise: a draw is softmax of the noisy scores, keys are chosen with the probabilities of softmax") {
  const uint64_t seed = 11;
  const Tensor z = numbers({.9, .3, .05, -.5});
  OfScores noisy(4, Normaliser::gumbel({.temperature = .5, .seed = seed}));
  Generator same(seed);
  const Variable u = uniform(z.shape(), same, {.dtype = DType::f64});
  const Variable expected = softmax((z - log(-log(u))) / 0.5);
  CHECK(largest_error(noisy.weights(z), expected.value()) < 1e-15);
  CHECK(largest_error(noisy.weights(z), expected.value()) > 1e-3);  // the stream went on
  noisy.layer.eval_();
  CHECK(largest_error(noisy.weights(z), softmax(Variable(z) / 0.5).value()) < 1e-15);

  constexpr int64_t kDraws = 20000;
  OfScores hard(4, Normaliser::gumbel({.hard = true, .seed = seed}));
  const Variable many = expand(z, {1, kDraws, 4});
  const Tensor weights = hard.weights(many);
  CHECK(all_zero((Variable(weights) * (Variable(weights) - 1.0)).value()));
  // The standard deviation of a frequency is at most 0.0035.
  CHECK(largest_error(mean(weights, {0, 1}).value(), softmax(Variable(z)).value().reshape({4})) < 0.02);
}

TEST_CASE("normalising over the queries: the weights of a key sum to 1, and masked queries take no share") {
  const uint64_t seed = tests::seed(72);
  INFO("seed " << seed);
  const Variable z = RandomTensors(seed).floating({1, 3, 2});
  OfScores attention(2, Normaliser::softmax(), NormaliseOver::queries);
  CHECK(largest_error(attention.weights(z), softmax(z, 1).value()) < 1e-15);
  const Mask mask = keep({1, 0, /**/ 0, 0, /**/ 1, 1}, {3, 2});
  const Tensor weights = attention.weights(z, mask);
  const double first = 1.0 / (1.0 + std::exp(z.value().at({0, 2, 0}) - z.value().at({0, 0, 0})));
  const Tensor expected = Tensor::from({first, 0, /**/ 0, 0, /**/ 1 - first, 1}, {1, 3, 2}, {.dtype = DType::f64});
  CHECK(largest_error(weights, expected) < 1e-15);
}

TEST_CASE("normalisers refuse a temperature that is not positive") {
  const auto made = [](const Normaliser& normaliser) { return error_text([&] { OfScores refused(2, normaliser); }); };
  CHECK(made(Normaliser::softmax({.temperature = 0})) == "[softmax_normaliser] expected a temperature > 0, got 0");
  CHECK(made(Normaliser::gumbel({.temperature = -1})) == "[gumbel_normaliser] expected a temperature > 0, got -1");
}

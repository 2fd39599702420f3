// SPDX-License-Identifier: MIT
// Scores that depend on the weights of earlier queries: location-aware, coverage with fertility, one's own; the loss of
// coverage.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/chain/chain.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/nn/attention/chain/chain_cases.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;
using tests::error_text;

namespace {

using Row = std::vector<double>;
constexpr int64_t kQueries = 3, kKeys = 5, kQuerySize = 2, kKeySize = 3, kWidth = 4;
const AttendOptions kAsk{.weights = ReturnWeights::before_dropout};

// The parameters of a score by their names.
struct Values {
  explicit Values(Attention& attention) : state(attention.state_dict()) {}
  double operator()(const std::string& name, std::initializer_list<int64_t> at) const {
    for (const NamedTensor& each : state) {
      if (each.name == "score." + name) return each.value.at(at);
    }
    FAIL("no parameter " << name);
    return 0.0;
  }
  StateDict state;
};

// W q + U k + b for unit a.
double projected(const Values& p, const Tensor& query, const Tensor& keys, int64_t i, int64_t j, int64_t a) {
  double x = p("key_proj.bias", {a});
  for (int64_t d = 0; d < kQuerySize; ++d) x += p("query_proj.weight", {a, d}) * query.at({0, i, d});
  for (int64_t d = 0; d < kKeySize; ++d) x += p("key_proj.weight", {a, d}) * keys.at({0, j, d});
  return x;
}

// The weights of all queries, where feature(last, total, j, a) is added within tanh.
template <class Feature>
Tensor by_loops(const Values& p, const Tensor& query, const Tensor& keys, const Feature& feature) {
  Tensor weights = zeros({1, kQueries, kKeys}, {.dtype = DType::f64});
  double* at = weights.mutable_data_<double>();
  Row last(kKeys, 0.0), total(kKeys, 0.0);
  for (int64_t i = 0; i < kQueries; ++i, at += kKeys) {
    double sum_of_row = 0.0;
    for (int64_t j = 0; j < kKeys; ++j) {
      double score = 0.0;
      for (int64_t a = 0; a < kWidth; ++a) {
        score += p("v", {a}) * std::tanh(projected(p, query, keys, i, j, a) + feature(last, total, j, a));
      }
      at[j] = std::exp(score);
      sum_of_row += at[j];
    }
    for (int64_t j = 0; j < kKeys; ++j) {
      at[j] /= sum_of_row;
      last[static_cast<size_t>(j)] = at[j];
      total[static_cast<size_t>(j)] += at[j];
    }
  }
  return weights;
}

struct Data {
  Data(uint64_t seed, const Score& score)
      : generator(seed),
        attention({.query_size = kQuerySize, .key_size = kKeySize, .score = score, .dtype = DType::f64}, generator) {
    tests::randomise(attention, generator);
    RandomTensors random(seed);
    query = random.floating({1, kQueries, kQuerySize});
    keys = random.floating({1, kKeys, kKeySize});
  }
  Tensor weights() { return attention(query, attention.prepare(keys), kAsk).weights.value(); }

  Generator generator;
  Attention attention;
  Tensor query, keys;
};

}  // namespace

TEST_CASE("location-aware scores see filters over the last weights, and over their sum when they are cumulative") {
  const uint64_t seed = tests::seed(141);
  INFO("seed " << seed);
  for (const bool cumulative : {false, true}) {
    for (const int64_t width : {1, 2, 3, 7}) {
      Data data(seed, Score::location_aware(
                          {.attention_size = kWidth, .filters = 2, .width = width, .cumulative = cumulative}));
      const Values p(data.attention);
      const auto feature = [&](const Row& last, const Row& total, int64_t j, int64_t a) {
        double sum_of_filters = 0.0;
        for (int64_t f = 0; f < 2; ++f) {
          double filtered = 0.0;
          for (int64_t w = 0; w < width; ++w) {
            const int64_t at = j + w - (width - 1) / 2;
            if (at < 0 || at >= kKeys) continue;
            filtered += p("filters", {f, 0, w}) * last[static_cast<size_t>(at)];
            if (cumulative) filtered += p("filters", {f, 1, w}) * total[static_cast<size_t>(at)];
          }
          sum_of_filters += p("feature_proj.weight", {a, f}) * filtered;
        }
        return sum_of_filters;
      };
      CHECK(largest_error(data.weights(), by_loops(p, data.query, data.keys, feature)) < 1e-14);
    }
  }
}

TEST_CASE("coverage scores see the sum of all earlier weights, divided by the fertility") {
  const uint64_t seed = tests::seed(142);
  INFO("seed " << seed);
  for (const double fertility : {0.0, 3.0}) {
    Data data(seed, Score::coverage({.attention_size = kWidth, .max_fertility = fertility}));
    const Values p(data.attention);
    const auto feature = [&](const Row&, const Row& total, int64_t j, int64_t a) {
      double divisor = 1.0;
      if (fertility > 0.0) {
        double x = 0.0;
        for (int64_t d = 0; d < kKeySize; ++d) x += p("fertility", {d}) * data.keys.at({0, j, d});
        divisor = fertility / (1.0 + std::exp(-x));
      }
      return p("coverage_weight", {a}) * total[static_cast<size_t>(j)] / divisor;
    };
    CHECK(largest_error(data.weights(), by_loops(p, data.query, data.keys, feature)) < 1e-14);
  }
}

TEST_CASE("the alignment goes on from one call to the next, with its gradients") {
  const uint64_t seed = tests::seed(143);
  INFO("seed " << seed);
  for (const tests::NamedScore& score : tests::all_scores()) {
    if (!score.remembers) continue;
    INFO(score.name);
    Data data(seed, score.score);
    const Variable query = leaf(data.query), keys = leaf(data.keys);
    const Mask mask = Mask::from_lengths(tests::i64({4}, {1}));
    const PreparedMemory prepared = data.attention.prepare(keys, mask);
    const AttentionOutput all = data.attention(query, prepared, kAsk);
    const AttentionOutput first = data.attention(narrow(query, 1, 0, 2), prepared, kAsk);
    AttendOptions next = kAsk;
    next.alignment = first.alignment;
    const AttentionOutput second = data.attention(narrow(query, 1, 2, 1), prepared, next);
    const Variable weights = concat({first.weights, second.weights}, 1);
    CHECK(bitwise_equal(weights.value(), all.weights.value()));
    CHECK(bitwise_equal(second.alignment.last.value(), all.alignment.last.value()));
    CHECK(bitwise_equal(second.alignment.total.value(), all.alignment.total.value()));
    CHECK(largest_error(all.alignment.total.value(), sum(all.weights, {1}).value()) < 1e-15);
    const Variable cotangent = RandomTensors(seed).floating(weights.shape());
    const std::vector<Variable> whole =
        grad({all.weights}, {query, keys}, {.retain_graph = true, .cotangents = {cotangent}});
    const std::vector<Variable> parts =
        grad({weights}, {query, keys}, {.retain_graph = true, .cotangents = {cotangent}});
    for (size_t i = 0; i < whole.size(); ++i) CHECK(largest_error(whole[i].value(), parts[i].value()) < 1e-14);
    // The first query depends on no weights, the second one on those of the first.
    const Variable of_second = grad({sum(square(select(all.weights, 1, 1)))}, {query})[0];
    CHECK(!all_zero(of_second.value().slice(1, 0, 1)));
    CHECK(all_zero(of_second.value().slice(1, 2, 3)));
  }
}

TEST_CASE("a call without queries gives no weights and leaves the alignment as it was") {
  Data data(1, Score::coverage({.attention_size = kWidth}));
  const PreparedMemory prepared = data.attention.prepare(data.keys);
  const AttentionOutput nothing = data.attention(zeros({1, 0, kQuerySize}, {.dtype = DType::f64}), prepared, kAsk);
  CHECK(nothing.context.shape() == Shape{1, 0, kKeySize});
  CHECK(nothing.weights.shape() == Shape{1, 0, kKeys});
  CHECK(!nothing.alignment.last.defined());
}

namespace {

// Keeps away from the key of the last query.
struct AwayFromLast : Layer<AwayFromLast> {
  using Layer::Layer;
  Variable forward(const Variable& query, const Variable& keys, const Alignment& alignment) {
    const Variable scores = matmul(query, transpose(keys, 1, 2));
    return alignment.last.defined() ? scores - 5.0 * unsqueeze(alignment.last, 1) : scores;
  }
};

}  // namespace

TEST_CASE("a score of one's own may depend on the alignment") {
  Generator generator(1);
  Attention attention({.query_size = 3, .key_size = 3, .score = Score::of<AwayFromLast>(), .dtype = DType::f64},
                      generator);
  Tensor keys = zeros({1, 2, 3}, {.dtype = DType::f64});
  keys.select(1, 0).fill_(1.0);
  const Tensor query = ones({1, 3, 3}, {.dtype = DType::f64});
  const Tensor weights = attention(query, attention.prepare(keys), kAsk).weights.value();
  CHECK(weights.at({0, 0, 0}) > 0.9);
  CHECK(weights.at({0, 1, 0}) < 0.3);
  CHECK(weights.at({0, 2, 0}) > 0.9);
}

TEST_CASE("the coverage loss sums the smaller of weights and coverage") {
  const Variable weights = tests::f64({.7, .3, 0, /**/ .2, .5, .3, /**/ .1, .1, .8}, {1, 3, 3});
  const Variable loss = coverage_loss(weights);
  // Coverage: 0 0 0, .7 .3 0, .9 .8 .3.
  CHECK(largest_error(loss.value(), tests::f64({0, .5, .5}, {1, 3})) < 1e-15);
  const Variable later = coverage_loss(narrow(weights, 1, 1, 2), tests::f64({.7, .3, 0}, {1, 3}));
  CHECK(largest_error(later.value(), tests::f64({.5, .5}, {1, 2})) < 1e-15);
  tests::check_derivatives({"coverage_loss", {real({2, 3, 4}), real({2, 4})}, [](const std::vector<Variable>& in) {
                              return std::vector<Variable>{coverage_loss(in[0], in[1])};
                            }});
}

TEST_CASE("scores that depend on the alignment, and the coverage loss: messages") {
  Generator generator(1);
  const auto made = [&](const Score& score) {
    return error_text([&] { Attention layer({.query_size = 2, .key_size = 2, .score = score}, generator); });
  };
  CHECK(made(Score::location_aware({})) == "[location_aware_score] expected attention_size >= 1, got 0");
  CHECK(made(Score::location_aware({.attention_size = 1})) == "[location_aware_score] expected filters >= 1, got 0");
  CHECK(made(Score::location_aware({.attention_size = 1, .filters = 1})) ==
        "[location_aware_score] expected width >= 1, got 0");
  CHECK(made(Score::coverage({})) == "[coverage_score] expected attention_size >= 1, got 0");
  CHECK(made(Score::coverage({.attention_size = 1, .max_fertility = -1})) ==
        "[coverage_score] expected max_fertility >= 0, got -1");
  CHECK(error_text([] {
          return coverage_loss(zeros({2, 3}));
        }) == "[coverage_loss] expected weights [B, Tq, Tk] or [B, H, Tq, Tk], got f32 [2, 3]");
  CHECK(error_text([] {
          return coverage_loss(zeros({2, 3, 4}), zeros({2, 3}));
        }) == "[coverage_loss] wrong weights before: expected [2, 4], got f32 [2, 3]");
}

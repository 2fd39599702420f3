// SPDX-License-Identifier: MIT
// AttentionPooling against loops, pooling on two levels, the penalty, the exact loss of hard attention.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/attention.hpp>
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

Tensor named(Module& module, const std::string& name) {
  for (const NamedTensor& each : module.state_dict()) {
    if (each.name == name) return each.value;
  }
  FAIL("no parameter " << name);
  return {};
}

// The weights of hop k over the first `length` steps of item b, by the formula.
std::vector<double> pooling_weights(AttentionPooling& layer, const Tensor& x, const Tensor& query, int64_t b, int64_t k,
                                    int64_t length) {
  const AttentionPoolingOptions& o = layer.options();
  std::vector<double> weights;
  double total = 0.0;
  for (int64_t i = 0; i < length; ++i) {
    double score = 0.0;
    for (int64_t a = 0; a < o.attention_size; ++a) {
      double z = o.bias ? named(layer, "input_proj.bias").at({a}) : 0.0;
      for (int64_t d = 0; d < o.input_size; ++d) z += named(layer, "input_proj.weight").at({a, d}) * x.at({b, i, d});
      for (int64_t d = 0; d < o.query_size; ++d) z += named(layer, "query_proj.weight").at({a, d}) * query.at({b, d});
      score += named(layer, "score.weight").at({k, a}) * std::tanh(z);
    }
    weights.push_back(std::exp(score));
    total += weights.back();
  }
  for (double& weight : weights) weight /= total;
  return weights;
}

}  // namespace

TEST_CASE("attention pooling sums the steps with the weights of its formula") {
  const uint64_t seed = tests::seed(101);
  INFO("seed " << seed);
  constexpr int64_t kLengths[] = {4, 2, 0};
  const Mask mask = Mask::from_lengths(tests::i64({4, 2, 0}, {3}));
  for (const AttentionPoolingOptions& options :
       {AttentionPoolingOptions{.input_size = 3, .attention_size = 5, .dtype = DType::f64},
        AttentionPoolingOptions{
            .input_size = 3, .attention_size = 5, .hops = 3, .query_size = 2, .bias = false, .dtype = DType::f64}}) {
    Generator generator(seed);
    AttentionPooling layer(options, generator);
    RandomTensors random(seed);
    const Tensor x = random.floating({3, 4, 3}), query = random.floating({3, 2});
    const AttentionOutput out = layer(x, mask, options.query_size > 0 ? Variable(query) : Variable());
    REQUIRE(out.context.shape() == Shape{3, options.hops, 3});
    REQUIRE(out.weights.shape() == Shape{3, options.hops, 4});
    for (int64_t b = 0; b < 3; ++b) {
      for (int64_t k = 0; k < options.hops; ++k) {
        const std::vector<double> weights = pooling_weights(layer, x, query, b, k, kLengths[b]);
        for (int64_t i = 0; i < 4; ++i) {
          const double expected = i < kLengths[b] ? weights[static_cast<size_t>(i)] : 0.0;
          CHECK(std::fabs(out.weights.value().at({b, k, i}) - expected) < 1e-15);
        }
        for (int64_t d = 0; d < 3; ++d) {
          double expected = 0.0;
          for (int64_t i = 0; i < kLengths[b]; ++i) expected += weights[static_cast<size_t>(i)] * x.at({b, i, d});
          CHECK(std::fabs(out.context.value().at({b, k, d}) - expected) < 1e-14);
        }
      }
    }
  }
}

TEST_CASE("the penalty of pooling is 0 for hops that look at one step each, and grows when they agree") {
  const Tensor apart = tests::f64({1, 0, 0, /**/ 0, 0, 1}, {1, 2, 3});
  CHECK(pooling_penalty(apart).value().at({0}) == 0.0);
  const Tensor equal_hops = tests::f64({0.5, 0.5, 0, /**/ 0.5, 0.5, 0}, {1, 2, 3});
  // A A^T is 0.5 everywhere: (0.5 - 1)^2 twice and 0.5^2 twice.
  CHECK(pooling_penalty(equal_hops).value().at({0}) == 1.0);
  CHECK(error_text([&] {
          return pooling_penalty(zeros({2, 3}));
        }) == "[pooling_penalty] expected weights [B, r, T], got f32 [2, 3]");
}

TEST_CASE("attention pooling never reads blocked steps, or the query of an item without steps") {
  const uint64_t seed = tests::seed(103);
  INFO("seed " << seed);
  Generator generator(seed);
  AttentionPooling layer({.input_size = 3, .attention_size = 4, .hops = 2, .query_size = 2, .dtype = DType::f64},
                         generator);
  RandomTensors random(seed);
  Tensor x = random.floating({3, 4, 3}), query = random.floating({3, 2});
  const Mask mask = Mask::from_lengths(tests::i64({4, 2, 0}, {3}));
  const auto run = [&] {
    const std::vector<Variable> in = {leaf(x.clone()), leaf(query.clone())};
    std::vector<Variable> targets = in;
    for (const NamedParameter& each : layer.parameters()) targets.push_back(each.parameter->variable());
    const AttentionOutput out = layer(in[0], mask, in[1]);
    std::vector<Variable> all = grad({sum(square(out.context)) + sum(pooling_penalty(out.weights))}, targets);
    all.push_back(out.context);
    all.push_back(out.weights);
    return all;
  };
  const std::vector<Variable> before = run();
  for (const double content : {HUGE_VAL, std::nan("")}) {
    x.select(0, 1).slice(0, 2, 4).fill_(content);
    x.select(0, 2).fill_(content);
    query.select(0, 2).fill_(content);
    const std::vector<Variable> after = run();
    for (size_t i = 0; i < before.size(); ++i) CHECK(bitwise_equal(before[i].value(), after[i].value()));
    CHECK(all_zero(after[1].value().select(0, 2)));
    CHECK(!all_zero(after[1].value().select(0, 1)));
  }
}

namespace {

struct DocumentsOptions {
  DType dtype = DType::f64;
};

// Words [B, S, T, D] -> documents [B, D] (Yang et al. 2016): pools words into sentences, and these into documents.
struct Documents : Layer<Documents, DocumentsOptions> {
  using Layer::Layer;
  AttentionPooling words{{.input_size = 3, .attention_size = 4, .dtype = options().dtype}, child("words")};
  AttentionPooling sentences{{.input_size = 3, .attention_size = 4, .dtype = options().dtype}, child("sentences")};

  Variable forward(const Variable& x, const Tensor& word_counts, const Tensor& sentence_counts) {
    const int64_t batch = x.size(0), count = x.size(1);
    const Variable rows = reshape(x, {batch * count, x.size(2), x.size(3)});
    const Variable pooled = words(rows, Mask::from_lengths(word_counts.reshape({batch * count}))).context;
    return squeeze(sentences(reshape(pooled, {batch, count, 3}), Mask::from_lengths(sentence_counts)).context, {1});
  }
};

}  // namespace

TEST_CASE("pooling on two levels: empty sentences and documents give 0, and what follows them is never read") {
  const uint64_t seed = tests::seed(102);
  INFO("seed " << seed);
  Generator generator(seed);
  Documents layer({}, generator);
  const Tensor word_counts = tests::i64({2, 0, 3, /**/ 1, 2, 2, /**/ 0, 0, 0}, {3, 3});
  const Tensor sentence_counts = tests::i64({3, 2, 0}, {3});
  RandomTensors random(seed);
  Tensor x = random.floating({3, 3, 3, 3});
  const auto run = [&] {
    const Variable in = leaf(x.clone());
    std::vector<Variable> targets = {in};
    for (const NamedParameter& each : layer.parameters()) targets.push_back(each.parameter->variable());
    const Variable out = layer(in, word_counts, sentence_counts);
    std::vector<Variable> all = grad({sum(square(out))}, targets);
    all.push_back(out);
    return all;
  };
  const std::vector<Variable> before = run();
  x.select(0, 0).select(0, 0).slice(0, 2, 3).fill_(std::nan(""));  // after the words of a sentence
  x.select(0, 0).select(0, 1).fill_(HUGE_VAL);                     // a sentence without words
  x.select(0, 2).fill_(std::nan(""));                              // a document without sentences
  // The sentence after those of document 1 has words; its sum is finite, and no document reads it.
  x.select(0, 1).select(0, 2).fill_(7.0);
  const std::vector<Variable> after = run();
  for (size_t i = 0; i < before.size(); ++i) CHECK(bitwise_equal(before[i].value(), after[i].value()));
  const Tensor& out = after.back().value();
  CHECK(all_zero(out.select(0, 2)));
  CHECK(!all_zero(out.select(0, 0)));
  CHECK(all_zero(after[0].value().select(0, 1).select(0, 2)));
  // A document of one sentence of one word is that word.
  const Tensor one = layer(x.select(0, 1).unsqueeze(0), tests::i64({1, 0, 0}, {1, 3}), tests::i64({1}, {1})).value();
  CHECK(largest_error(one, x.select(0, 1).select(0, 0).slice(0, 0, 1)) < 1e-15);
}

TEST_CASE("the exact loss of hard attention is the logarithm of the sum over all choices") {
  const Variable a = tests::f64({0.2, 0.5, 0.3, /**/ 0.1, 0.0, 0.9}, {2, 3});
  const Variable p = tests::f64({0.7, 0.01, 0.4, /**/ 0.6, 0.3, 0.2}, {2, 3});
  const Tensor loss = exact_hard_loss(log(a), log(p)).value();
  CHECK(loss.at({0}) == Approx(-std::log(0.2 * 0.7 + 0.5 * 0.01 + 0.3 * 0.4)).epsilon(1e-14));
  CHECK(loss.at({1}) == Approx(-std::log(0.1 * 0.6 + 0.9 * 0.2)).epsilon(1e-14));
  // Probabilities that no double can hold.
  const Tensor tiny = exact_hard_loss(tests::f64({-800, -801}, {1, 2}), tests::f64({-900, -900}, {1, 2})).value();
  CHECK(tiny.at({0}) == Approx(1700 - std::log1p(std::exp(-1.0))).epsilon(1e-14));
  CHECK(error_text([&] {
          return exact_hard_loss(zeros({2, 3}), zeros({3}));
        }) == "[exact_hard_loss] expected two inputs of the shape [.., T], got f32 [2, 3] and f32 [3]");
}

TEST_CASE("the exact loss of hard attention: derivatives, and blocked keys are never read") {
  tests::check_derivatives({"exact_hard_loss", {real({3, 4}), real({3, 4})}, [](const std::vector<Variable>& in) {
                              return std::vector<Variable>{exact_hard_loss(log_softmax(in[0]), -square(in[1]))};
                            }});
  const Variable keep = tests::bools({1, 1, 0, /**/ 0, 0, 0}, {2, 3});
  RandomTensors random(5);
  const Tensor scores = random.floating({2, 3});
  Tensor log_probs = random.floating({2, 3});
  const auto run = [&] {
    const std::vector<Variable> in = {leaf(scores), leaf(log_probs.clone())};
    const Variable loss = exact_hard_loss(log_softmax(in[0], -1, keep), in[1]);
    std::vector<Variable> all = grad({sum(loss)}, in);
    all.push_back(loss);
    return all;
  };
  const std::vector<Variable> before = run();
  log_probs.select(0, 0).slice(0, 2, 3).fill_(std::nan(""));
  log_probs.select(0, 1).fill_(HUGE_VAL);
  const std::vector<Variable> after = run();
  for (size_t i = 0; i < before.size(); ++i) {
    CHECK(bitwise_equal(before[i].value(), after[i].value()));
    CHECK(all_zero(after[i].value().select(0, 1)));
  }
  CHECK(!all_zero(after[1].value().select(0, 0)));
}

TEST_CASE("attention pooling names what is wrong") {
  Generator generator(1);
  const auto made = [&](const AttentionPoolingOptions& options) {
    return error_text([&] { AttentionPooling layer(options, generator); });
  };
  CHECK(made({.attention_size = 1}) == "[attention_pooling] expected input_size >= 1, got 0");
  CHECK(made({.input_size = 1}) == "[attention_pooling] expected attention_size >= 1, got 0");
  CHECK(made({.input_size = 1, .attention_size = 1, .hops = 0}) == "[attention_pooling] expected hops >= 1, got 0");
  CHECK(made({.input_size = 1, .attention_size = 1, .query_size = -1}) ==
        "[attention_pooling] expected query_size >= 0, got -1");
  AttentionPooling plain({.input_size = 2, .attention_size = 3}, generator);
  AttentionPooling asked({.input_size = 2, .attention_size = 3, .query_size = 4}, generator);
  const Variable x = zeros({2, 5, 2});
  CHECK(error_text([&] {
          return plain(zeros({2, 5, 3}));
        }) == "[attention_pooling] expected a memory [B, Tk, 2], got f32 [2, 5, 3] (in attention_pooling)");
  CHECK(error_text([&] { return plain(x, Mask::causal()); }) ==
        "[attention_pooling] expected a mask of keys alone, got one that depends on the query (in attention_pooling)");
  CHECK(error_text([&] {
          return plain(x, Mask::none(), zeros({2, 4}));
        }) == "[attention_pooling] expected no query, because query_size is 0, got f32 [2, 4] (in attention_pooling)");
  CHECK(error_text([&] { return asked(x); }) ==
        "[attention_pooling] expected a query [2, 4], got none (in attention_pooling)");
}

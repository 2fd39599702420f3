// SPDX-License-Identifier: MIT
// Compares masks and attention with scalar loops, and tests that blocked positions have no effect.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/nn/attention/attention.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;

namespace {

constexpr int64_t kBatch = 3, kQueries = 2, kKeys = 4, kQuerySize = 3, kKeySize = 5, kWidth = 6;

Tensor integers(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::i64});
}

Tensor bools(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::boolean});
}

AdditiveAttention additive(Generator& generator) {
  return AdditiveAttention(
      {.query_size = kQuerySize, .key_size = kKeySize, .attention_size = kWidth, .dtype = DType::f64}, generator);
}

DotAttention dot(Generator& generator) {
  return DotAttention({.query_size = kQuerySize, .key_size = kKeySize, .dtype = DType::f64}, generator);
}

struct Data {
  explicit Data(uint64_t seed) : random(seed) {
    query = random.floating({kBatch, kQueries, kQuerySize});
    memory = random.floating({kBatch, kKeys, kKeySize});
  }
  RandomTensors random;
  Tensor query;
  Tensor memory;
};

// Weights and context by the formulas, one number at a time; the score comes from score(b, i, j).
template <class Score>
AttentionOutput by_loops(const Data& data, const Tensor& keep, const Score& score) {
  Tensor weights = zeros({kBatch, kQueries, kKeys}, {.dtype = DType::f64});
  Tensor context = zeros({kBatch, kQueries, kKeySize}, {.dtype = DType::f64});
  double* w = weights.mutable_data_<double>();
  double* c = context.mutable_data_<double>();
  for (int64_t b = 0; b < kBatch; ++b) {
    for (int64_t i = 0; i < kQueries; ++i) {
      double total = 0.0;
      for (int64_t j = 0; j < kKeys; ++j) {
        if (keep.at({b, i, j}) != 0.0) total += w[(b * kQueries + i) * kKeys + j] = std::exp(score(b, i, j));
      }
      for (int64_t j = 0; j < kKeys && total > 0; ++j) {
        double& weight = w[(b * kQueries + i) * kKeys + j];
        weight /= total;
        for (int64_t d = 0; d < kKeySize; ++d) {
          c[(b * kQueries + i) * kKeySize + d] += weight * data.memory.at({b, j, d});
        }
      }
    }
  }
  return {context, weights};
}

double dot_product(int64_t n, const Tensor& a, int64_t row_a, const Tensor& x, int64_t b, int64_t i) {
  double sum = 0.0;
  for (int64_t d = 0; d < n; ++d) sum += a.at({row_a, d}) * x.at({b, i, d});
  return sum;
}

// Row 0 has all keys, row 1 two keys, row 2 none.
Mask lengths_mask() { return Mask::from_lengths(integers({4, 2, 0}, {3})); }

Tensor full_tensor(const Mask& mask) {
  return mask.tensor({.batch = kBatch, .queries = kQueries, .keys = kKeys}).expand({kBatch, kQueries, kKeys});
}

// Runs the check on both kinds of attention.
template <class Check>
void for_both(uint64_t seed, const Check& check) {
  Generator generator(seed);
  AdditiveAttention first = additive(generator);
  DotAttention second = dot(generator);
  {
    INFO("additive, seed " << seed);
    check(first);
  }
  INFO("dot, seed " << seed);
  check(second);
}

struct Gradients {
  AttentionOutput out;
  Variable query;
  Variable memory;
  std::vector<Tensor> parameters;
};

// The gradients of a random combination of context and weights.
template <class Attention>
Gradients differentiate(Attention& attention, const Tensor& query, const Tensor& memory, const Mask& mask) {
  RandomTensors random(77);
  const Variable q = leaf(query);
  const Variable m = leaf(memory);
  for (const NamedParameter& named : attention.parameters()) named.parameter->zero_grad_();
  AttentionOutput out = attention(q, attention.prepare(m, mask));
  const Variable loss = sum(out.context * Variable(random.floating(out.context.shape()))) +
                        sum(out.weights * Variable(random.floating(out.weights.shape())));
  std::vector<Variable> targets = {q, m};
  for (const NamedParameter& named : attention.parameters()) targets.push_back(named.parameter->variable());
  const std::vector<Variable> gradients = grad({loss}, targets);
  Gradients result{out, gradients[0], gradients[1], {}};
  for (size_t i = 2; i < gradients.size(); ++i) result.parameters.push_back(gradients[i].value());
  return result;
}

bool row_is_zero(const Tensor& x, int64_t row) { return all_zero(x.select(0, row)); }

}  // namespace

TEST_CASE("additive attention is Bahdanau's formula") {
  const uint64_t seed = tests::seed(41);
  INFO("seed " << seed);
  const Data data(seed);
  Generator generator(seed);
  AdditiveAttention attention = additive(generator);
  const StateDict state = attention.state_dict();
  const Tensor& v = state[0].value;
  const Tensor& query_weight = state[1].value;
  const Tensor& key_weight = state[2].value;
  const Tensor keep = full_tensor(lengths_mask());
  const AttentionOutput expected = by_loops(data, keep, [&](int64_t b, int64_t i, int64_t j) {
    double score = 0.0;
    for (int64_t a = 0; a < kWidth; ++a) {
      score += v.at({a}) * std::tanh(dot_product(kQuerySize, query_weight, a, data.query, b, i) +
                                     dot_product(kKeySize, key_weight, a, data.memory, b, j));
    }
    return score;
  });
  const AttentionOutput out = attention(data.query, attention.prepare(data.memory, lengths_mask()));
  // Measured over four seeds: at most 4.2e-16.
  CHECK(largest_error(out.weights.value(), expected.weights.value()) < 1e-14);
  CHECK(largest_error(out.context.value(), expected.context.value()) < 1e-14);
}

TEST_CASE("dot attention is Vaswani's formula, with the query projected when the sizes differ") {
  const uint64_t seed = tests::seed(42);
  INFO("seed " << seed);
  const Data data(seed);
  Generator generator(seed);
  DotAttention attention = dot(generator);
  CHECK(attention.state_dict()[0].name == "query_proj.weight");
  const Tensor weight = attention.state_dict()[0].value;
  const Tensor keep = full_tensor(lengths_mask());
  const AttentionOutput expected = by_loops(data, keep, [&](int64_t b, int64_t i, int64_t j) {
    double score = 0.0;
    for (int64_t d = 0; d < kKeySize; ++d) {
      score += dot_product(kQuerySize, weight, d, data.query, b, i) * data.memory.at({b, j, d});
    }
    return score / std::sqrt(static_cast<double>(kKeySize));
  });
  const AttentionOutput out = attention(data.query, attention.prepare(data.memory, lengths_mask()));
  CHECK(largest_error(out.weights.value(), expected.weights.value()) < 1e-14);
  CHECK(largest_error(out.context.value(), expected.context.value()) < 1e-14);
  Generator other(seed);
  CHECK(DotAttention({.query_size = 4, .key_size = 4}, other).state_dict().empty());
}

TEST_CASE("a query that may attend to nothing has output, weights and gradients of exactly 0") {
  const uint64_t seed = tests::seed(43);
  const Data data(seed);
  for_both(seed, [&](auto& attention) {
    const Gradients result = differentiate(attention, data.query, data.memory, lengths_mask());
    CHECK(row_is_zero(result.out.weights.value(), 2));
    CHECK(row_is_zero(result.out.context.value(), 2));
    CHECK(row_is_zero(result.query.value(), 2));
    CHECK(row_is_zero(result.memory.value(), 2));
    CHECK(!row_is_zero(result.query.value(), 1));
    CHECK(!row_is_zero(result.memory.value(), 1));
    const Gradients nothing = differentiate(attention, data.query, data.memory, Mask::keep(bools({0}, {1})));
    CHECK(all_zero(nothing.out.context.value()));
    CHECK(all_zero(nothing.memory.value()));
    for (const Tensor& gradient : nothing.parameters) CHECK(all_zero(gradient));
  });
}

TEST_CASE("what a blocked position holds changes no bit of output or gradient, and gets a gradient of 0") {
  const uint64_t seed = tests::seed(44);
  Data data(seed);
  Tensor changed = data.memory.clone();
  double* values = changed.mutable_data_<double>();
  const auto row = [&](int64_t b, int64_t j) { return values + (b * kKeys + j) * kKeySize; };
  for (int64_t d = 0; d < kKeySize; ++d) row(1, 2)[d] = 1e30;  // blocked by its length
  for (int64_t d = 0; d < kKeySize; ++d) row(1, 3)[d] = -17.0;
  for (int64_t d = 0; d < kKeySize; ++d) row(2, 0)[d] = 1e-300;
  for_both(seed, [&](auto& attention) {
    const Gradients before = differentiate(attention, data.query, data.memory, lengths_mask());
    const Gradients after = differentiate(attention, data.query, changed, lengths_mask());
    CHECK(bitwise_equal(before.out.context.value(), after.out.context.value()));
    CHECK(bitwise_equal(before.out.weights.value(), after.out.weights.value()));
    CHECK(bitwise_equal(before.query.value(), after.query.value()));
    CHECK(bitwise_equal(before.memory.value(), after.memory.value()));
    for (size_t i = 0; i < before.parameters.size(); ++i) {
      CHECK(bitwise_equal(before.parameters[i], after.parameters[i]));
    }
    CHECK(all_zero(after.memory.value().select(0, 1).slice(0, 2, 4)));
    CHECK(!all_zero(after.memory.value().select(0, 1).slice(0, 0, 2)));
  });
}

TEST_CASE(
    "attention: a rule gives the same bits as the tensor that it stands for, for any numbers of queries and keys") {
  const uint64_t seed = tests::seed(46);
  RandomTensors random(seed);
  for (const auto& [queries, keys] :
       {std::pair{3, 5}, std::pair{5, 3}, std::pair{4, 4}, std::pair{1, 5}, std::pair{0, 3}, std::pair{2, 0}}) {
    const Tensor query = random.floating({kBatch, queries, kQuerySize});
    const Tensor memory = random.floating({kBatch, keys, kKeySize});
    const Mask lengths = Mask::from_lengths(random.integers({kBatch}, 0, keys + 1));
    const Mask some = Mask::keys(random.booleans({kBatch, keys}));
    const Mask documents =
        Mask::documents(random.integers({kBatch, queries}, 0, 3), random.integers({kBatch, keys}, 0, 3));
    for (const Mask& mask : {Mask::causal(), Mask::sliding_window(0), Mask::sliding_window(1) & lengths,
                             Mask::causal() & Mask::sliding_window(1), Mask::prefix(2) & some, documents & some,
                             documents & Mask::causal(), lengths & some}) {
      const Tensor keep = mask.tensor({.batch = kBatch, .queries = queries, .keys = keys});
      for_both(seed, [&, queries = queries, keys = keys](auto& attention) {
        INFO(queries << " queries, " << keys << " keys");
        const Gradients by_rule = differentiate(attention, query, memory, mask);
        const Gradients by_tensor = differentiate(attention, query, memory, Mask::keep(keep));
        CHECK(bitwise_equal(by_rule.out.weights.value(), by_tensor.out.weights.value()));
        CHECK(bitwise_equal(by_rule.out.context.value(), by_tensor.out.context.value()));
        CHECK(bitwise_equal(by_rule.query.value(), by_tensor.query.value()));
        CHECK(bitwise_equal(by_rule.memory.value(), by_tensor.memory.value()));
        for (size_t i = 0; i < by_rule.parameters.size(); ++i) {
          CHECK(bitwise_equal(by_rule.parameters[i], by_tensor.parameters[i]));
        }
        const Tensor full = keep.expand({kBatch, queries, keys});
        const Variable blocked = where(full, zeros({}, {.dtype = DType::f64}), by_rule.out.weights);
        CHECK(all_zero(blocked.value()));
      });
    }
  }
}

TEST_CASE("attention: prepare evaluates all of a mask that does not wait for the number of queries") {
  Generator generator(1);
  DotAttention attention = dot(generator);
  const Variable memory = zeros({kBatch, kKeys, kKeySize}, {.dtype = DType::f64});
  const PreparedMemory by_lengths = attention.prepare(memory, lengths_mask());
  CHECK(by_lengths.keep.shape() == Shape{kBatch, 1, kKeys});
  CHECK(by_lengths.asking.shape() == Shape{kBatch, 1, 1});
  const Mask of_queries = Mask::causal() & Mask::keep(bools({1, 0, 1, 1, 0, 0, 1, 1}, {2, 4}));
  CHECK(attention.prepare(memory, of_queries).keep.shape() == Shape{1, 2, kKeys});
  CHECK(!attention.prepare(memory, Mask::causal() & lengths_mask()).keep.defined());
  CHECK(!attention.prepare(memory).keep.defined());
}

TEST_CASE("attention: a call with rules of the query projects the keys again only to hide what prepare could not") {
  Generator generator(1);
  const Variable memory = zeros({kBatch, kKeys, kKeySize}, {.dtype = DType::f64});
  const Variable query = zeros({kBatch, kQueries, kQuerySize}, {.dtype = DType::f64});
  const Mask lengths = Mask::from_lengths(integers({4, 3, 1}, {3}));
  for_both(1, [&](auto& attention) {
    // The number of ops of one call.
    const auto ops = [&](const Mask& mask) {
      const PreparedMemory prepared = attention.prepare(memory, mask);
      int64_t count = 0;
      const ApplyObserver observer{.call = [](void* state, const OpDef&, const Attrs&, const Variable* const*, size_t,
                                              const Variable*, size_t) { ++*static_cast<int64_t*>(state); },
                                   .state = &count};
      context().apply_observer = &observer;
      static_cast<void>(attention.weights(query, prepared));
      context().apply_observer = nullptr;
      return count;
    };
    CHECK(ops(lengths) <= ops(Mask::none()) + 1);  // one broadcasts the mask
    CHECK(ops(Mask::causal() & lengths) <= ops(lengths));
    CHECK(ops(Mask::causal()) <= ops(lengths));
    const int64_t projected = ops(Mask::sliding_window(0));
    CHECK(projected > ops(lengths));
    const NoGrad no_grad;
    CHECK(ops(Mask::sliding_window(0)) < projected);
  });
}

TEST_CASE("asking for the weights does not change the context, nor do the weights alone differ") {
  const uint64_t seed = tests::seed(45);
  const Data data(seed);
  for_both(seed, [&](auto& attention) {
    const PreparedMemory prepared = attention.prepare(data.memory, lengths_mask());
    const AttentionOutput out = attention(data.query, prepared);
    CHECK(bitwise_equal(out.weights.value(), attention.weights(data.query, prepared).value()));
    CHECK(bitwise_equal(out.context.value(), attention(data.query, prepared).context.value()));
    // One query at a time, as in a decoder.
    for (int64_t i = 0; i < kQueries; ++i) {
      const Tensor one = attention(data.query.slice(1, i, i + 1).clone(), prepared).weights.value();
      CHECK(largest_error(one, out.weights.value().slice(1, i, i + 1)) < 1e-14);
    }
  });
}

TEST_CASE("attention names shapes that do not fit") {
  Generator generator(1);
  AdditiveAttention attention = additive(generator);
  const Variable memory = zeros({2, 4, kKeySize}, {.dtype = DType::f64});
  CHECK_THROWS_WITH(attention.prepare(zeros({2, 4, 7})),
                    "[additive_attention] expected a memory [B, Tk, 5], got f32 [2, 4, 7] (in additive_attention)");
  CHECK_THROWS_WITH(attention(zeros({1, 1, 3}, {.dtype = DType::f64}), attention.prepare(memory)),
                    "[additive_attention] expected a query [2, Tq, 3], got f64 [1, 1, 3] (in additive_attention)");
  CHECK_THROWS_WITH(attention.prepare(memory, lengths_mask()),
                    "[Mask::from_lengths] wrong lengths: expected i64 [2], each from 0 to 4, got i64 [3] (in "
                    "additive_attention)");
  const Mask of_two_queries = Mask::keep(bools({1, 0}, {2, 1}));
  const PreparedMemory prepared = attention.prepare(memory, of_two_queries);
  CHECK(attention(zeros({2, 2, 3}, {.dtype = DType::f64}), prepared).weights.shape() == Shape{2, 2, 4});
  CHECK_THROWS_WITH(attention(zeros({2, 3, 3}, {.dtype = DType::f64}), prepared),
                    "[Mask::keep] the mask does not broadcast to the scores: expected [2, 3, 4], got bool [2, 1] (in "
                    "additive_attention)");
  CHECK_THROWS_WITH(attention.weights(zeros({2, 3, 3}, {.dtype = DType::f64}), prepared),
                    tests::contains_text("(in additive_attention)"));
  CHECK_THROWS_WITH(DotAttention({.query_size = 0, .key_size = 1}, generator),
                    "[dot_attention] expected query_size >= 1, got 0");
}

// SPDX-License-Identifier: MIT
// Compares the scores of the attention chain with their formulas, one number at a time.
#include <cmath>
#include <functional>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
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

using Row = std::vector<double>;
constexpr int64_t kBatch = 2, kQueries = 3, kKeys = 4;

Row row_of(const Tensor& x, int64_t b, int64_t i) {
  Row row;
  for (int64_t d = 0; d < x.size(2); ++d) row.push_back(x.at({b, i, d}));
  return row;
}

Row row_of(const Tensor& matrix, int64_t i) {
  Row row;
  for (int64_t d = 0; d < matrix.size(1); ++d) row.push_back(matrix.at({i, d}));
  return row;
}

double dot_of(const Row& a, const Row& b) {
  double sum = 0.0;
  for (size_t d = 0; d < a.size(); ++d) sum += a[d] * b[d];
  return sum;
}

double length_of(const Row& a) { return std::sqrt(dot_of(a, a)); }

// The value of a parameter of the score, by its name.
Tensor parameter_of(Attention& attention, const std::string& name) {
  for (const NamedTensor& named : attention.state_dict()) {
    if (named.name == "score." + name) return named.value;
  }
  FAIL("no parameter " << name);
  return {};
}

struct Sizes {
  int64_t query = 3;
  int64_t key = 3;
};

// The largest difference between the scores and score(attention, q, k, j) for each pair.
double score_error(uint64_t seed, const Score& score, const Sizes& sizes,
                   const std::function<double(Attention&, const Row&, const Row&, int64_t)>& formula) {
  Generator generator(seed);
  Attention attention({.query_size = sizes.query,
                       .key_size = sizes.key,
                       .score = score,
                       .normaliser = Normaliser::none(),
                       .dtype = DType::f64},
                      generator);
  tests::randomise(attention, generator);
  RandomTensors random(seed);
  const Tensor query = random.floating({kBatch, kQueries, sizes.query});
  const Tensor keys = random.floating({kBatch, kKeys, sizes.key});
  const Tensor got =
      attention(query, attention.prepare(keys), {.weights = ReturnWeights::before_dropout}).weights.value();
  double worst = 0.0;
  for (int64_t b = 0; b < kBatch; ++b) {
    for (int64_t i = 0; i < kQueries; ++i) {
      for (int64_t j = 0; j < kKeys; ++j) {
        const double expected = formula(attention, row_of(query, b, i), row_of(keys, b, j), j);
        worst = std::max(worst, std::fabs(got.at({b, i, j}) - expected));
      }
    }
  }
  return worst;
}

Row scaled_rows(const Row& a, const Tensor& weight) {
  Row out = a;
  double squares = dot_of(a, a) / static_cast<double>(a.size());
  for (size_t d = 0; d < a.size(); ++d) {
    out[d] = a[d] / std::sqrt(squares + 1e-6) * weight.at({static_cast<int64_t>(d)});
  }
  return out;
}

// Measured over five seeds: at most 1.8e-15.
constexpr double kAllowed = 1e-13;

}  // namespace

TEST_CASE("the products among the scores are their formulas") {
  const uint64_t seed = tests::seed(61);
  INFO("seed " << seed);
  CHECK(score_error(seed, Score::dot(), {},
                    [](Attention&, const Row& q, const Row& k, int64_t) { return dot_of(q, k); }) < kAllowed);
  CHECK(score_error(seed, Score::scaled_dot(), {}, [](Attention&, const Row& q, const Row& k, int64_t) {
          return dot_of(q, k) / std::sqrt(3.0);
        }) < kAllowed);
  CHECK(score_error(seed, Score::cosine(), {}, [](Attention&, const Row& q, const Row& k, int64_t) {
          return dot_of(q, k) / (length_of(q) * length_of(k));
        }) < kAllowed);
  CHECK(score_error(seed, Score::scaled_dot({.norm = QkNorm::l2}), {},
                    [](Attention& attention, const Row& q, const Row& k, int64_t) {
                      const double gain = parameter_of(attention, "gain").at({0});
                      return gain * dot_of(q, k) / (length_of(q) * length_of(k));
                    }) < kAllowed);
  CHECK(score_error(seed, Score::scaled_dot({.norm = QkNorm::rms}), {},
                    [](Attention& attention, const Row& q, const Row& k, int64_t) {
                      return dot_of(scaled_rows(q, parameter_of(attention, "query_norm")),
                                    scaled_rows(k, parameter_of(attention, "key_norm"))) /
                             std::sqrt(3.0);
                    }) < kAllowed);
  CHECK(score_error(seed, Score::general(), {.query = 2, .key = 5},
                    [](Attention& attention, const Row& q, const Row& k, int64_t) {
                      const Tensor weight = parameter_of(attention, "weight");
                      double sum = 0.0;
                      for (size_t a = 0; a < q.size(); ++a) {
                        sum += q[a] * dot_of(row_of(weight, static_cast<int64_t>(a)), k);
                      }
                      return sum;
                    }) < kAllowed);
}

TEST_CASE("the scores with weights of query and key are their formulas") {
  const uint64_t seed = tests::seed(62);
  INFO("seed " << seed);
  CHECK(score_error(seed, Score::biaffine(), {.query = 2, .key = 5},
                    [](Attention& attention, const Row& q, const Row& k, int64_t) {
                      const Tensor weight = parameter_of(attention, "weight");
                      double sum = parameter_of(attention, "bias").at({0});
                      for (size_t a = 0; a < q.size(); ++a) {
                        const auto at = static_cast<int64_t>(a);
                        sum +=
                            q[a] * (dot_of(row_of(weight, at), k) + parameter_of(attention, "query_weight").at({at}));
                      }
                      for (size_t d = 0; d < k.size(); ++d) {
                        sum += k[d] * parameter_of(attention, "key_weight").at({static_cast<int64_t>(d)});
                      }
                      return sum;
                    }) < kAllowed);
  CHECK(score_error(seed, Score::trilinear(), {}, [](Attention& attention, const Row& q, const Row& k, int64_t) {
          const Tensor weight = parameter_of(attention, "weight");
          double sum = 0.0;
          for (int64_t d = 0; d < 3; ++d) {
            const double qd = q[static_cast<size_t>(d)], kd = k[static_cast<size_t>(d)];
            sum += weight.at({d}) * qd + weight.at({3 + d}) * kd + weight.at({6 + d}) * qd * kd;
          }
          return sum;
        }) < kAllowed);
  CHECK(score_error(seed, Score::additive({.attention_size = 6}), {.query = 2, .key = 5},
                    [](Attention& attention, const Row& q, const Row& k, int64_t) {
                      double sum = 0.0;
                      for (int64_t a = 0; a < 6; ++a) {
                        sum += parameter_of(attention, "v").at({a}) *
                               std::tanh(dot_of(row_of(parameter_of(attention, "query_proj.weight"), a), q) +
                                         dot_of(row_of(parameter_of(attention, "key_proj.weight"), a), k));
                      }
                      return sum;
                    }) < kAllowed);
  CHECK(score_error(seed, Score::concat({.attention_size = 6}), {.query = 2, .key = 5},
                    [](Attention& attention, const Row& q, const Row& k, int64_t) {
                      Row both = q;
                      both.insert(both.end(), k.begin(), k.end());
                      double sum = 0.0;
                      for (int64_t a = 0; a < 6; ++a) {
                        sum += parameter_of(attention, "v").at({a}) *
                               std::tanh(dot_of(row_of(parameter_of(attention, "weight"), a), both));
                      }
                      return sum;
                    }) < kAllowed);
  CHECK(score_error(seed, Score::location({.max_positions = 6}), {.query = 2, .key = 5},
                    [](Attention& attention, const Row& q, const Row&, int64_t j) {
                      return dot_of(row_of(parameter_of(attention, "weight"), j), q);
                    }) < kAllowed);
}

TEST_CASE("concat is additive with the two halves of its weight") {
  const uint64_t seed = tests::seed(63);
  INFO("seed " << seed);
  Generator generator(seed);
  const AttentionOptions options{
      .query_size = 3, .key_size = 5, .score = Score::concat({.attention_size = 4}), .dtype = DType::f64};
  Attention concat_attention(options, generator);
  AttentionOptions split_options = options;
  split_options.score = Score::additive({.attention_size = 4});
  Attention additive_attention(split_options, generator);
  AdditiveAttention old({.query_size = 3, .key_size = 5, .attention_size = 4, .dtype = DType::f64}, generator);
  const Tensor weight = parameter_of(concat_attention, "weight"), v = parameter_of(concat_attention, "v");
  const Tensor of_query = weight.slice(1, 0, 3).clone(), of_key = weight.slice(1, 3, 8).clone();
  additive_attention.load_state_dict(
      {{"score.v", v}, {"score.query_proj.weight", of_query}, {"score.key_proj.weight", of_key}});
  old.load_state_dict({{"v", v}, {"query_proj.weight", of_query}, {"key_proj.weight", of_key}});
  RandomTensors random(seed);
  const Variable query = random.floating({kBatch, kQueries, 3}), memory = random.floating({kBatch, kKeys, 5});
  const Mask mask = Mask::from_lengths(Tensor::from({4, 2}, {2}, {.dtype = DType::i64}));
  const AttendOptions ask{.weights = ReturnWeights::before_dropout};
  const AttentionOutput one = concat_attention(query, concat_attention.prepare(memory, mask), ask);
  const AttentionOutput two = additive_attention(query, additive_attention.prepare(memory, mask), ask);
  const AttentionOutput three = old(query, old.prepare(memory, mask));
  CHECK(largest_error(one.weights.value(), two.weights.value()) < 1e-15);
  CHECK(largest_error(one.context.value(), two.context.value()) < 1e-15);
  CHECK(bitwise_equal(two.weights.value(), three.weights.value()));
  CHECK(bitwise_equal(two.context.value(), three.context.value()));
}

TEST_CASE("cosine scores with a key strength give the content weighting of the Neural Turing Machine") {
  Generator generator(1);
  Attention attention({.query_size = 2, .key_size = 2, .score = Score::cosine(), .dtype = DType::f64}, generator);
  const Variable key = Tensor::from({0.6, 0.8}, {1, 1, 2}, {.dtype = DType::f64});
  const Variable memory = Tensor::from({1, 0, 0, 1, 0.6, 0.8, -1, 0}, {1, 4, 2}, {.dtype = DType::f64});
  const Variable strength = full({1, 1, 1}, 2.0, {.dtype = DType::f64});
  const AttentionOutput out =
      attention(key, attention.prepare(memory), {.scale = strength, .weights = ReturnWeights::before_dropout});
  const Tensor expected =
      Tensor::from({.207983073, .310274286, .462874842, .018867799}, {1, 1, 4}, {.dtype = DType::f64});
  CHECK(largest_error(out.weights.value(), expected) < 1e-9);
  CHECK(largest_error(out.context.value(), matmul(out.weights, memory).value()) < 1e-15);
}

TEST_CASE("scores refuse sizes that they cannot compare") {
  Generator generator(1);
  const auto made = [&](const Score& score) {
    return error_text([&] { Attention layer({.query_size = 2, .key_size = 3, .score = score}, generator); });
  };
  const std::string why = " expected key_size to be query_size, got 3 and 2 (Score::general takes any sizes)";
  CHECK(made(Score::dot()) == "[dot_score]" + why);
  CHECK(made(Score::cosine()) == "[cosine_score]" + why);
  CHECK(made(Score::trilinear()) == "[trilinear_score]" + why);
  CHECK(made(Score::additive({})) == "[additive_score] expected attention_size >= 1, got 0");
  CHECK(made(Score::concat({})) == "[concat_score] expected attention_size >= 1, got 0");
  CHECK(made(Score::location({})) == "[location_score] expected max_positions >= 1, got 0");
  Attention located({.query_size = 2, .key_size = 3, .score = Score::location({.max_positions = 4})}, generator);
  CHECK(error_text([&] {
          return located(zeros({1, 1, 2}), located.prepare(zeros({1, 5, 3})));
        }) == "[location_score] expected at most 4 keys (max_positions), got 5 (in attention.score)");
}

TEST_CASE("what goes into the tanh of a score starts with Glorot and Bengio's bound and the gain of tanh") {
  constexpr int64_t kUnits = 48, kQuerySize = 40, kKeySize = 56;
  const uint64_t seed = tests::seed(65);
  INFO("seed " << seed);
  Generator generator(seed);
  const auto check = [&](const Score& score, const char* name, int64_t inputs) {
    INFO(name);
    Attention attention({.query_size = kQuerySize, .key_size = kKeySize, .score = score, .dtype = DType::f64},
                        generator);
    const Tensor weight = parameter_of(attention, name);
    const double bound = 5.0 / 3.0 * std::sqrt(6.0 / static_cast<double>(inputs + kUnits));
    double largest = 0.0;
    for (int64_t i = 0; i < kUnits; ++i) {
      for (int64_t j = 0; j < inputs; ++j) largest = std::max(largest, std::fabs(weight.at({i, j})));
    }
    CHECK(largest <= bound);
    CHECK(largest > 0.98 * bound);  // of at least 1,920 numbers, one is nearer to the bound but for 1 case in 10^16
  };
  const Score location_aware = Score::location_aware({.attention_size = kUnits, .filters = 2, .width = 3});
  check(Score::concat({.attention_size = kUnits}), "weight", kQuerySize + kKeySize);
  for (const Score& score :
       {Score::additive({.attention_size = kUnits}), location_aware, Score::coverage({.attention_size = kUnits})}) {
    check(score, "query_proj.weight", kQuerySize);
    check(score, "key_proj.weight", kKeySize);
  }
}

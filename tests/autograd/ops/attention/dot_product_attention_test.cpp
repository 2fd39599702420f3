// SPDX-License-Identifier: MIT
// Attention in one tile and in several, beyond what the battery checks: against the reference, blocked positions that
// hold anything, the same bits on any number of threads.
#include <cmath>
#include <limits>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using tests::error_text;
using Variables = std::vector<Variable>;

namespace {

struct Case {
  const char* name;
  int64_t batch, heads, key_heads, queries, keys, width, value_width;
  DotProductAttentionOptions options = {};
};

struct Inputs {
  Variable query, key, value;
};

Inputs inputs_of(const Case& c, DType dtype, uint64_t seed) {
  detail::RandomTensors random(seed);
  return {leaf(random.floating({c.batch, c.heads, c.queries, c.width}, dtype)),
          leaf(random.floating({c.batch, c.key_heads, c.keys, c.width}, dtype)),
          leaf(random.floating({c.batch, c.key_heads, c.keys, c.value_width}, dtype))};
}

// The same function in a few public ops. The mask is bool [Tq, Tk].
Variable composed(const Case& c, const Inputs& in) {
  const auto repeated = [&](const Variable& x) {
    const Shape shape = {c.batch, c.key_heads, c.heads / c.key_heads, x.size(2), x.size(3)};
    return reshape(expand(unsqueeze(x, 2), shape), {c.batch, c.heads, x.size(2), x.size(3)});
  };
  Tensor keep = zeros({c.queries, c.keys}, {.dtype = DType::boolean});
  const int64_t window = c.options.window.value_or(c.queries + c.keys);
  for (int64_t i = 0; i < c.queries; ++i) {
    for (int64_t j = 0; j < c.keys; ++j) {
      const int64_t position = i + c.keys - c.queries;
      const bool causal = !c.options.causal || j <= position;
      keep.mutable_data_<bool>()[i * c.keys + j] = causal && std::abs(position - j) <= window;
    }
  }
  const double scale = c.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(c.width)));
  Variable z = matmul(in.query, transpose(repeated(in.key), 2, 3)) * scale;
  if (c.options.bias.defined()) z = z + c.options.bias;
  if (c.options.soft_cap) z = tanh(z / *c.options.soft_cap) * *c.options.soft_cap;
  const Variable all = expand(Variable(keep), {c.batch, c.heads, c.queries, c.keys});
  Variable weights = softmax(z, -1, all);
  if (c.options.dropout > 0.0) weights = dropout(weights, c.options.dropout, c.options.dropout_at);
  return matmul(weights, repeated(in.value));
}

Variable attend(const Case& c, const Inputs& in) {
  return dot_product_attention(in.query, in.key, in.value, c.options);
}

std::vector<Case> cases() {
  return {{"several tiles", 1, 2, 2, 130, 200, 24, 17},
          {"causal", 2, 2, 1, 150, 150, 16, 16, {.causal = true}},
          {"causal, after earlier keys", 1, 1, 1, 70, 333, 8, 8, {.causal = true}},
          {"window", 1, 4, 2, 300, 300, 8, 4, {.window = 20}},
          {"causal window with a cap", 1, 1, 1, 129, 129, 8, 8, {.soft_cap = 2.0, .causal = true, .window = 70}},
          {"dropout", 2, 2, 1, 71, 139, 8, 8, {.causal = true, .dropout = 0.3, .dropout_at = {.key = 7, .counter = 9}}},
          {"one query", 3, 2, 2, 1, 65, 5, 3},
          {"one tile", 2, 4, 2, 20, 21, 16, 17},
          {"one full tile", 1, 2, 2, 64, 64, 24, 8},
          {"one tile, causal window", 2, 2, 1, 19, 37, 16, 16, {.causal = true, .window = 20}},
          {"one tile, dropout",
           2,
           2,
           1,
           23,
           64,
           8,
           8,
           {.causal = true, .dropout = 0.3, .dropout_at = {.key = 7, .counter = 9}}},
          {"one tile with a negative scale", 1, 2, 2, 9, 8, 4, 3, {.scale = -0.5}}};
}

}  // namespace

TEST_CASE("dot_product_attention: one tile and several give what a few public ops give, with the same gradients") {
  const uint64_t seed = tests::seed(41);
  INFO("seed " << seed);
  for (const Case& c : cases()) {
    INFO(c.name);
    const Inputs in = inputs_of(c, DType::f64, seed);
    const Variable y = attend(c, in), expected = composed(c, in);
    const Variable g = detail::RandomTensors(seed + 1).floating(y.shape(), DType::f64);
    // Measured over seeds 41 to 50: 1.3e-15 of numbers around 1.
    CHECK(largest_error(y.value(), expected.value()) < 1e-13);
    const Variables got = grad({y}, {in.query, in.key, in.value}, {.cotangents = {g}});
    const Variables wanted = grad({expected}, {in.query, in.key, in.value}, {.cotangents = {g}});
    for (size_t i = 0; i < got.size(); ++i) CHECK(largest_error(got[i].value(), wanted[i].value()) < 1e-12);
  }
}

// x with `filler` in the rows from `first` on, along axis 2.
Variable filled(const Variable& x, int64_t first, double filler) {
  const Tensor kept = x.value().slice(2, 0, first);
  const Tensor rest = full(x.value().slice(2, first, x.size(2)).shape(), filler);
  return leaf(concat({Variable(kept), Variable(rest)}, 2).value());
}

const double kFillers[] = {1e6, HUGE_VAL, std::numeric_limits<double>::quiet_NaN()};

TEST_CASE("dot_product_attention: keys after a query change no bit of its output and gradient") {
  const uint64_t seed = tests::seed(42);
  INFO("seed " << seed);
  const int64_t length = GENERATE(100, 50);
  const Case c{"causal", 2, 2, 2, length, length, 8, 8, {.causal = true}};
  constexpr int64_t kFirstBlocked = 40;  // for the queries before it
  const Inputs in = inputs_of(c, DType::f32, seed);
  const auto run = [&](const Inputs& from) {
    const Variable y = narrow(attend(c, from), 2, 0, kFirstBlocked);
    const Variable g = detail::RandomTensors(seed + 1).floating(y.shape(), DType::f32);
    const Variables out = grad({y}, {from.query}, {.cotangents = {g}});
    return Variables{y, narrow(out[0], 2, 0, kFirstBlocked)};
  };
  const Variables before = run(in);
  for (const double filler : kFillers) {
    INFO("filled with " << filler);
    const Variables after =
        run({in.query, filled(in.key, kFirstBlocked, filler), filled(in.value, kFirstBlocked, filler)});
    for (size_t i = 0; i < before.size(); ++i) CHECK(bitwise_equal(before[i].value(), after[i].value()));
  }
}

TEST_CASE("dot_product_attention: padding, and queries without keys, change no bit of anything") {
  const uint64_t seed = tests::seed(44);
  INFO("seed " << seed);
  const int64_t keys = GENERATE(100, 45);
  const int64_t used_keys = keys - 30, used_queries = 30;  // the others are blocked
  const Tensor lengths = full({2}, static_cast<double>(used_keys), {.dtype = DType::i64});
  Tensor asks = zeros({40, 1}, {.dtype = DType::boolean});
  for (int64_t i = 0; i < used_queries; ++i) asks.mutable_data_<bool>()[i] = true;
  const Case c{"blocked", 2, 2, 1, 40, keys, 8, 5, {.keep = asks, .lengths = lengths}};
  const Inputs in = inputs_of(c, DType::f32, seed);
  const auto run = [&](const Inputs& from) {
    const Variable y = attend(c, from);
    const Variable g = detail::RandomTensors(seed + 1).floating(y.shape(), DType::f32);
    Variables out = grad({y}, {from.query, from.key, from.value}, {.cotangents = {g}});
    out.push_back(y);
    return out;
  };
  const Variables before = run(in);
  for (const double filler : kFillers) {
    INFO("filled with " << filler);
    const Variables after = run({filled(in.query, used_queries, filler), filled(in.key, used_keys, filler),
                                 filled(in.value, used_keys, filler)});
    for (size_t i = 0; i < before.size(); ++i) CHECK(bitwise_equal(before[i].value(), after[i].value()));
  }
}

TEST_CASE("dot_product_attention: a query without keys has output, and all gradients, of exactly 0") {
  const int64_t keys = GENERATE(70, 17);
  const Tensor lengths = Tensor::from({0.0, static_cast<double>(keys)}, {2}, {.dtype = DType::i64});
  const Case c{"", 2, 1, 1, 3, keys, 4, 4, {.lengths = lengths}};
  const Inputs in = inputs_of(c, DType::f64, 1);
  const Variable y = attend(c, in);
  CHECK(all_zero(y.value().select(0, 0)));
  for (const Variable& g : grad({sum(y)}, {in.query, in.key, in.value})) {
    CHECK(all_zero(g.value().select(0, 0)));
    CHECK(all_finite(g.value()));
  }
}

TEST_CASE("dot_product_attention: a score that is NaN is not taken for a blocked one") {
  const int64_t length = GENERATE(66, 3);
  const Case c{"", 1, 1, 1, length, length, 2, 2, {.causal = true}};
  Inputs in = inputs_of(c, DType::f32, 1);
  Tensor query = in.query.value();
  query.mutable_data_<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  in.query = leaf(query);
  const Tensor y = attend(c, in).value();
  CHECK(std::isnan(y.data<float>()[0]));  // of the first query, which may attend to one key alone
  CHECK(all_finite(y.slice(2, 1, length)));
}

TEST_CASE("dot_product_attention: the same bits with 1, 2 and 3 threads") {
  const uint64_t seed = tests::seed(43);
  INFO("seed " << seed);
  for (const Case& c : {Case{"heads", 2, 6, 2, 300, 300, 16, 16, {.causal = true}},
                        Case{"heads of one tile", 32, 6, 2, 40, 40, 16, 16, {.causal = true}},
                        Case{"a shared bias",
                             2,
                             2,
                             2,
                             260,
                             200,
                             8,
                             8,
                             {.bias = leaf(detail::RandomTensors(seed).floating({260, 200}, DType::f32))}}}) {
    INFO(c.name);
    const Inputs in = inputs_of(c, DType::f32, seed);
    Variables wanted = {in.query, in.key, in.value};
    if (c.options.bias.defined()) wanted.push_back(c.options.bias);
    Variables first;
    for (const int threads : {1, 2, 3}) {
      const detail::ThreadCountScope scope(threads);
      const Variable y = attend(c, in);
      Variables out = grad({sum(square(y))}, wanted);
      out.push_back(y);
      if (first.empty()) first = out;
      for (size_t i = 0; i < out.size(); ++i) CHECK(bitwise_equal(out[i].value(), first[i].value()));
    }
  }
}

TEST_CASE("dot_product_attention: refuses options without a meaning") {
  const Variable x = zeros({1, 1, 2, 2});
  CHECK(error_text([&] { return dot_product_attention(x, x, x, {.soft_cap = 0.0}); }) ==
        "[dot_product_attention] expected a finite soft_cap > 0, got 0");
  CHECK(error_text([&] {
          return dot_product_attention(x, x, x, {.causal = true, .ranges = zeros({1, 1, 2}, {.dtype = DType::i64})});
        }) == "[dot_product_attention] expected ranges or else causal, window and lengths, got both");
  CHECK(error_text([&] { return dot_product_attention(x, x, x, {.window = -1}); }) ==
        "[dot_product_attention] expected a window >= 0, got -1");
}

// SPDX-License-Identifier: MIT
// LinearAttention: its formula, the recurrent form against the parallel one, masks.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
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

double feature(double x) { return x > 0 ? x + 1 : std::exp(x); }

// The formula, one number at a time. `lengths` are those of the keys.
Tensor by_loops(const Tensor& q, const Tensor& k, const Tensor& v, const std::vector<int64_t>& lengths, bool causal) {
  Tensor out = zeros({q.size(0), q.size(1), v.size(2)}, {.dtype = DType::f64});
  double* at = out.mutable_data_<double>();
  for (int64_t b = 0; b < q.size(0); ++b) {
    for (int64_t i = 0; i < q.size(1); ++i, at += v.size(2)) {
      double below = 0.0;
      const int64_t last = std::min(lengths[static_cast<size_t>(b)], causal ? i + 1 : k.size(1));
      for (int64_t j = 0; j < last; ++j) {
        double weight = 0.0;
        for (int64_t d = 0; d < q.size(2); ++d) weight += feature(q.at({b, i, d})) * feature(k.at({b, j, d}));
        below += weight;
        for (int64_t d = 0; d < v.size(2); ++d) at[d] += weight * v.at({b, j, d});
      }
      for (int64_t d = 0; d < v.size(2) && last > 0; ++d) at[d] /= below;
    }
  }
  return out;
}

LinearAttention make(bool causal) {
  Generator unused(1);
  return LinearAttention({.causal = causal}, unused);
}

}  // namespace

TEST_CASE("linear attention is its formula, causal or not, with lengths, also past a chunk") {
  const uint64_t seed = tests::seed(111);
  INFO("seed " << seed);
  for (const int64_t steps : {1, 5, 64, 65, 150}) {
    for (const bool causal : {false, true}) {
      RandomTensors random(seed);
      const Tensor q = random.floating({3, steps, 3}), k = random.floating({3, steps, 3});
      const Tensor v = random.floating({3, steps, 2});
      const std::vector<int64_t> lengths = {steps, (steps + 1) / 2, 0};
      const Tensor of_batch = tests::i64({static_cast<double>(lengths[0]), static_cast<double>(lengths[1]), 0}, {3});
      LinearAttention layer = make(causal);
      const Tensor got = layer(q, k, v, Mask::from_lengths(of_batch)).value();
      // Measured over five seeds: at most 5e-16.
      CHECK(largest_error(got, by_loops(q, k, v, lengths, causal)) < 1e-13);
      CHECK(largest_error(layer(q, k, v).value(), by_loops(q, k, v, {steps, steps, steps}, causal)) < 1e-13);
      CHECK(all_zero(got.select(0, 2)));
    }
  }
  LinearAttention layer = make(false);
  CHECK(layer(zeros({2, 0, 3}), zeros({2, 4, 3}), zeros({2, 4, 2})).shape() == Shape{2, 0, 2});
  CHECK(all_zero(layer(zeros({2, 3, 3}), zeros({2, 0, 3}), zeros({2, 0, 2})).value()));
  LinearAttention causal = make(true);
  CHECK(causal(zeros({2, 0, 3}), zeros({2, 0, 3}), zeros({2, 0, 2})).shape() == Shape{2, 0, 2});
}

TEST_CASE("linear attention step by step, or in pieces, gives what one call gives, with the same gradients") {
  const uint64_t seed = tests::seed(112);
  INFO("seed " << seed);
  constexpr int64_t kSteps = 70;
  RandomTensors random(seed);
  const std::vector<Variable> in = {leaf(random.floating({2, kSteps, 3})), leaf(random.floating({2, kSteps, 3})),
                                    leaf(random.floating({2, kSteps, 4}))};
  const Variable cotangent = random.floating({2, kSteps, 4});
  LinearAttention layer = make(true);
  const Variable parallel = layer(in[0], in[1], in[2]);
  const std::vector<Variable> expected = grad({parallel}, in, {.cotangents = {cotangent}});
  for (const int64_t piece : {1, 7, 69}) {
    LinearAttentionState state;
    std::vector<Variable> outputs;
    for (int64_t from = 0; from < kSteps; from += piece) {
      const int64_t count = std::min(piece, kSteps - from);
      const auto part = [&](const Variable& x) { return narrow(x, 1, from, count); };
      outputs.push_back(layer(part(in[0]), part(in[1]), part(in[2]), state));
    }
    const Variable recurrent = concat(outputs, 1);
    // Measured over five seeds: at most 4.4e-16 and 1e-15.
    CHECK(largest_error(recurrent.value(), parallel.value()) < 1e-13);
    const std::vector<Variable> gradients = grad({recurrent}, in, {.cotangents = {cotangent}});
    for (size_t i = 0; i < in.size(); ++i) CHECK(largest_error(gradients[i].value(), expected[i].value()) < 1e-13);
  }
}

TEST_CASE("linear attention: what is blocked has no influence, and nothing sees the future") {
  const uint64_t seed = tests::seed(113);
  INFO("seed " << seed);
  RandomTensors random(seed);
  const std::vector<NamedInput> inputs = {{"query", random.floating({3, 4, 3})},
                                          {"keys", random.floating({3, 4, 3})},
                                          {"values", random.floating({3, 4, 2})}};
  const Tensor lengths = tests::i64({4, 2, 0}, {3});
  for (const bool causal : {false, true}) {
    LinearAttention layer = make(causal);
    const Mask mask = Mask::from_lengths(lengths);
    const auto f = [&](const std::vector<Variable>& in) {
      return std::vector<Variable>{layer(in[0], in[1], in[2], mask)};
    };
    for (const size_t input : {1U, 2U}) {
      const PropertyReport report = check_mask(f, inputs, {.mask = mask, .input = input});
      INFO(report.text());
      CHECK(report.ok);
      if (causal) CHECK(check_causal(f, inputs, {.input = input}).ok);
    }
    const PropertyReport padded = check_padding_invariance(f, inputs, {.lengths = lengths, .inputs = {0, 1, 2}});
    INFO(padded.text());
    CHECK(padded.ok);
    const PropertyReport same = check_determinism(f, inputs);
    CHECK(same.ok);
  }
}

TEST_CASE("linear attention: NaN where nothing looks changes no bit, with keys blocked at the start") {
  const uint64_t seed = tests::seed(114);
  INFO("seed " << seed);
  RandomTensors random(seed);
  Tensor all[] = {random.floating({2, 5, 3}), random.floating({2, 5, 3}), random.floating({2, 5, 2})};
  const Mask mask = Mask::keys(tests::bools({0, 0, 1, 0, 1, /**/ 0, 0, 0, 0, 0}, {2, 5}));
  for (const bool causal : {false, true}) {
    LinearAttention layer = make(causal);
    const auto run = [&](double content) {
      std::vector<Variable> in;
      for (Tensor& each : all) {
        Tensor filled = each.clone();
        const bool is_query = &each == &all[0];
        filled.select(0, 1).fill_(content);
        // The queries before the first allowed key see nothing when attention is causal.
        if (!is_query || causal) filled.select(0, 0).slice(0, 0, 2).fill_(content);
        if (!is_query) filled.select(0, 0).slice(0, 3, 4).fill_(content);
        in.push_back(leaf(filled));
      }
      const Variable y = layer(in[0], in[1], in[2], mask);
      std::vector<Variable> out = grad({sum(square(y))}, in);
      out.push_back(y);
      return out;
    };
    const std::vector<Variable> before = run(0.5);
    CHECK(!all_zero(before[3].value().select(0, 0)));
    for (const double content : {HUGE_VAL, std::nan("")}) {
      const std::vector<Variable> after = run(content);
      for (size_t i = 0; i < before.size(); ++i) CHECK(bitwise_equal(before[i].value(), after[i].value()));
      CHECK(all_zero(after[3].value().select(0, 1)));
    }
  }
}

TEST_CASE("linear attention names what is wrong") {
  LinearAttention layer = make(false), causal = make(true);
  const Variable x = zeros({2, 3, 4});
  const std::string where = " (in linear_attention)";
  CHECK(error_text([&] {
          return layer(zeros({2, 3}), x, x);
        }) == "[linear_attention] expected a query [B, Tq, D], got f32 [2, 3]" + where);
  CHECK(error_text([&] {
          return layer(x, zeros({2, 3, 5}), x);
        }) == "[linear_attention] expected keys [2, Tk, 4], got f32 [2, 3, 5]" + where);
  CHECK(error_text([&] {
          return causal(x, zeros({2, 5, 4}), zeros({2, 5, 4}));
        }) == "[linear_attention] expected keys [2, 3, 4], got f32 [2, 5, 4]" + where);
  CHECK(error_text([&] {
          return layer(x, x, zeros({2, 5, 4}));
        }) == "[linear_attention] expected values [2, 3, Dv], got f32 [2, 5, 4]" + where);
  CHECK(error_text([&] { return layer(x, x, x, Mask::causal()); }) ==
        "[linear_attention] expected a mask of keys alone, got one that depends on the query (LinearAttentionOptions "
        "has causal)" +
            where);
  LinearAttentionState state;
  CHECK(error_text([&] { return layer(x, x, x, state); }) ==
        "[linear_attention] a state needs causal attention" + where);
  state.sums = zeros({2, 4, 4});
  CHECK(error_text([&] { return causal(x, x, x, state); }) ==
        "[linear_attention] wrong state: expected [2, 4, 5], got f32 [2, 4, 4]" + where);
}

// SPDX-License-Identifier: MIT
// Several heads of an Attention.
#include <cmath>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/nn/attention/chain/chain_sample.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;
using tests::error_text;

namespace {

constexpr int64_t kHeads = 3, kUnits = 2, kAll = kHeads * kUnits, kItems = 2, kAsked = 3, kLength = 4;

Mask mask_of_all_heads() { return Mask::from_lengths(tests::i64({4, 2}, {kItems})) & Mask::causal(); }

// Head 1 sees only key 0, and head 2 nothing for query 1.
Mask mask_of_each_head() {
  Tensor keep = ones({1, kHeads, kAsked, kLength}, {.dtype = DType::boolean});
  keep.select(1, 1).slice(2, 1, kLength).fill_(0.0);
  keep.select(1, 2).select(1, 1).fill_(0.0);
  return Mask::keep(keep);
}

AttentionOptions with_heads(AttentionOptions options, int64_t heads = kHeads) {
  options.query_size = kAll / kHeads * heads;
  options.key_size = options.query_size;
  options.heads = heads;
  options.dtype = DType::f64;
  return options;
}

struct Inputs {
  explicit Inputs(uint64_t seed) : random(seed) {}
  RandomTensors random;
  Tensor query = random.floating({kItems, kAsked, kAll});
  Tensor keys = random.floating({kItems, kLength, kAll});
  Tensor values = random.floating({kItems, kLength, 2 * kAll});
};

// The parameters of head h, without "heads.h.", for an Attention with one head.
StateDict state_of_head(const Attention& attention, int64_t h) {
  const std::string begin = "heads." + std::to_string(h) + ".";
  StateDict own;
  for (const NamedTensor& named : attention.state_dict()) {
    if (named.name.rfind(begin, 0) == 0) own.push_back({named.name.substr(begin.size()), named.value});
  }
  return own;
}

// What three attentions of one head give for their share of the units, side by side.
struct Apart {
  std::vector<Variable> contexts = {};
  std::vector<Variable> weights = {};

  Apart(const Attention& attention, const AttentionOptions& options, const Inputs& in, const Mask& mask,
        ReturnWeights ask) {
    for (int64_t h = 0; h < kHeads; ++h) {
      Generator generator(1);
      Attention one(with_heads(options, 1), generator);
      one.load_state_dict(state_of_head(attention, h));
      one.eval_();
      const AttentionOutput out =
          one(in.query.slice(2, h * kUnits, (h + 1) * kUnits), in.keys.slice(2, h * kUnits, (h + 1) * kUnits),
              in.values.slice(2, h * 2 * kUnits, (h + 1) * 2 * kUnits), mask, {.weights = ask});
      contexts.push_back(out.context);
      weights.push_back(out.weights);
    }
  }
};

}  // namespace

TEST_CASE("several heads give what as many attentions give, each with its share of the units") {
  const uint64_t seed = tests::seed(171);
  const Inputs in(seed);
  for (const tests::NamedScore& score : tests::all_scores()) {
    for (const tests::NamedNormaliser& normaliser : tests::all_normalisers()) {
      for (const WindowOptions& window : {WindowOptions{}, {.width = 1}, {.width = 2, .predicted = true}}) {
        for (const bool masked : {false, true}) {
          INFO("seed " << seed << ", " << score.name << ", " << normaliser.name << ", window " << window.width << " "
                       << window.predicted << ", masked " << masked);
          const AttentionOptions options{.score = score.score, .window = window, .normaliser = normaliser.normaliser};
          Generator generator(seed);
          Attention attention(with_heads(options), generator);
          tests::randomise(attention, generator);
          attention.eval_();
          const Mask mask = masked ? mask_of_all_heads() : Mask::none();
          const ReturnWeights ask = masked ? ReturnWeights::before_dropout : ReturnWeights::no;
          const AttentionOutput out = attention(in.query, in.keys, in.values, mask, {.weights = ask});
          const Apart apart(attention, options, in, mask, ask);
          CHECK(largest_error(out.context.value(), concat(apart.contexts, 2).value()) < 1e-13);
          if (!masked) continue;
          REQUIRE(out.weights.shape() == Shape{kItems, kHeads, kAsked, kLength});
          CHECK(bitwise_equal(out.weights.value(), stack(apart.weights, 1).value()));
        }
      }
    }
  }
}

TEST_CASE("asking several heads for their weights changes no bit of the context, with dropout too") {
  const Inputs in(5);
  for (const double dropout : {0.0, 0.4}) {
    Generator generator(7);
    Attention attention(with_heads({.score = Score::general(),
                                    .soft_cap = 2.0,
                                    .normaliser = Normaliser::softmax({.sink = Sink::learned}),
                                    .dropout = dropout}),
                        generator);
    const Owned<Attention> twin = attention.clone();
    const Mask mask = mask_of_each_head();
    const Variable alone = attention(in.query, in.keys, in.values, mask, {}).context;
    const AttentionOutput out = (*twin)(in.query, in.keys, in.values, mask, {.weights = ReturnWeights::after_dropout});
    CHECK(bitwise_equal(alone.value(), out.context.value()));
    // The weights, dropped as in tiles, give the context.
    std::vector<Variable> contexts;
    for (int64_t h = 0; h < kHeads; ++h) {
      contexts.push_back(matmul(select(out.weights, 1, h), narrow(Variable(in.values), 2, h * 2 * kUnits, 2 * kUnits)));
    }
    CHECK(largest_error(alone.value(), concat(contexts, 2).value()) < 1e-13);
  }
}

TEST_CASE("a mask may differ from head to head") {
  const Inputs in(6);
  for (const Score& score :
       {Score::scaled_dot(), Score::additive({.attention_size = 3}), Score::coverage({.attention_size = 3})}) {
    Generator generator(7);
    Attention attention(with_heads({.score = score}), generator);
    const AttentionOutput out =
        attention(in.query, in.keys, in.values, mask_of_each_head(), {.weights = ReturnWeights::before_dropout});
    const Tensor weights = out.weights.value();
    CHECK(all_zero(weights.select(1, 1).slice(2, 1, kLength)));
    CHECK(all_zero(weights.select(1, 2).select(1, 1)));
    CHECK_FALSE(all_zero(weights.select(1, 2).select(1, 0)));
    CHECK(bitwise_equal(weights.select(1, 1).slice(2, 0, 1), ones({kItems, kAsked, 1}, {.dtype = DType::f64})));
    // Prepared before the queries are known: the same bits.
    const PreparedMemory memory = attention.prepare(in.keys, in.values, mask_of_each_head());
    CHECK(bitwise_equal(attention(in.query, memory, {.weights = ReturnWeights::before_dropout}).context.value(),
                        out.context.value()));
  }
}

TEST_CASE("each head has a sink of its own, by its own name") {
  Generator generator(3);
  const Inputs in(4);
  Attention attention(with_heads({.normaliser = Normaliser::softmax({.sink = Sink::learned})}), generator);
  std::string names;
  for (const NamedParameter& named : attention.parameters()) names += named.name + " ";
  CHECK(names == "heads.0.normaliser.sink heads.1.normaliser.sink heads.2.normaliser.sink ");
  attention.parameters()[1].parameter->assign_(full({1}, 50.0, {.dtype = DType::f64}));
  const Tensor context = attention(in.query, in.keys, in.values).context.value();
  const Tensor of_head = context.slice(2, 2 * kUnits, 4 * kUnits);
  CHECK(largest_error(of_head, zeros(of_head.shape(), {.dtype = DType::f64})) < 1e-13);
  CHECK(largest_error(context.slice(2, 0, 2 * kUnits), of_head) > 1e-3);
  CHECK(bitwise_equal((*attention.clone())(in.query, in.keys, in.values).context.value(), context));
}

TEST_CASE("a decoder asks several heads for one query after another, with their alignments") {
  const Inputs in(8);
  for (const AttentionOptions& options :
       {AttentionOptions{.score = Score::coverage({.attention_size = 3})},
        AttentionOptions{.score = Score::location_aware({.attention_size = 3, .filters = 2, .width = 3}),
        .window = {.width = 2, .predicted = true}},
        AttentionOptions{.score = Score::general(), .normaliser = Normaliser::monotonic()}, AttentionOptions{}}) {
    Generator generator(9);
    Attention attention(with_heads(options), generator);
    AttendOptions call{.weights = ReturnWeights::before_dropout};
    const PreparedMemory memory = attention.prepare(in.keys, in.values, Mask::from_lengths(tests::i64({4, 2}, {2})));
    const AttentionOutput all = attention(in.query, memory, call);
    for (int64_t i = 0; i < kAsked; ++i) {
      const AttentionOutput one = attention(in.query.slice(1, i, i + 1), memory, call);
      CHECK(largest_error(one.weights.value(), all.weights.value().slice(2, i, i + 1)) < 1e-13);
      CHECK(largest_error(one.context.value(), all.context.value().slice(1, i, i + 1)) < 1e-13);
      call.alignment = one.alignment;
    }
    if (!call.alignment.last.defined()) continue;
    CHECK(call.alignment.total.shape() == Shape{kItems, kHeads, kLength});
    CHECK(largest_error(call.alignment.total.value(), all.alignment.total.value()) < 1e-13);
    const Variable loss = coverage_loss(all.weights);
    REQUIRE(loss.shape() == Shape{kItems, kHeads, kAsked});
    const Variable of_one = coverage_loss(select(all.weights, 1, 1));
    CHECK(bitwise_equal(select(loss, 1, 1).value(), of_one.value()));
    const Variable rest = coverage_loss(narrow(all.weights, 2, 1, 2), sum(narrow(all.weights, 2, 0, 1), {2}));
    CHECK(largest_error(rest.value(), loss.value().slice(2, 1, 3)) < 1e-13);
  }
}

namespace {

struct OwnOptions {
  AttentionSizes sizes = {};
};
// A score that knows nothing of heads, with a part that is prepared.
struct OwnScore : Layer<OwnScore, OwnOptions> {
  using Layer::Layer;
  Parameter w{parameter("w", ones({options().sizes.key_size}, {.dtype = options().sizes.dtype}))};
  Variable prepare(const Variable& keys) { return keys * w; }
  Variable forward(const Variable& query, const Variable& keys) {
    return -sum(square(unsqueeze(query, 2) - unsqueeze(keys, 1)), {-1});
  }
};

}  // namespace

TEST_CASE("a score of one's own needs nothing more for several heads") {
  const Inputs in(10);
  Generator generator(11);
  Attention attention(with_heads({.score = Score::of<OwnScore>()}), generator);
  tests::randomise(attention, generator);
  const AttentionOutput out =
      attention(in.query, in.keys, in.values, Mask::none(), {.weights = ReturnWeights::before_dropout});
  const Apart apart(attention, {.score = Score::of<OwnScore>()}, in, Mask::none(), ReturnWeights::before_dropout);
  CHECK(bitwise_equal(out.weights.value(), stack(apart.weights, 1).value()));
  const std::string text = to_string(attention);
  CHECK(text.find("heads") != std::string::npos);
}

TEST_CASE("scale and bias broadcast to the scores of all heads") {
  const Inputs in(12);
  Generator generator(13);
  Attention attention(with_heads({}), generator);
  RandomTensors random(14);
  const Tensor bias = random.floating({kHeads, kAsked, kLength}), scale = random.floating({kItems, 1, kAsked, 1});
  const AttendOptions ask{.scale = scale, .bias = bias, .weights = ReturnWeights::before_dropout};
  const AttentionOutput out = attention(in.query, in.keys, in.values, Mask::none(), ask);
  CHECK(bitwise_equal(
      attention(in.query, in.keys, in.values, Mask::none(), {.scale = scale, .bias = bias}).context.value(),
      out.context.value()));
  for (int64_t h = 0; h < kHeads; ++h) {
    Attention one(with_heads({}, 1), generator);
    const AttendOptions of_head{
        .scale = scale.select(1, 0), .bias = bias.select(0, h), .weights = ReturnWeights::before_dropout};
    const Tensor query = in.query.slice(2, h * kUnits, (h + 1) * kUnits);
    const Tensor keys = in.keys.slice(2, h * kUnits, (h + 1) * kUnits);
    CHECK(
        bitwise_equal(one(query, keys, keys, Mask::none(), of_head).weights.value(), out.weights.value().select(1, h)));
  }
}

TEST_CASE("what does not fit several heads is refused") {
  Generator generator(1);
  CHECK(error_text([&] {
          return Attention({.query_size = 4, .key_size = 6, .heads = 3}, generator).parameter_count();
        }) == "[attention] expected query_size and key_size to be multiples of heads, got 4, 6 and 3");
  CHECK(error_text([&] {
          return Attention({.query_size = 4, .key_size = 4, .heads = 0}, generator).parameter_count();
        }) == "[attention] expected heads >= 1, got 0");
  Attention attention({.query_size = 6, .key_size = 6, .heads = 3}, generator);
  const Tensor x = zeros({2, 3, 6});
  CHECK(error_text([&] {
          return attention.prepare(x, zeros({2, 3, 7}));
        }) == "[attention] expected values whose size is a multiple of heads, got 7 and 3 (in attention)");
  CHECK(error_text([&] {
          return attention(x, x, x, Mask::none(), {.bias = zeros({2, 3, 3})});
        }) ==
        "[attention] bias does not broadcast to the scores: expected [2, 3, 3, 3], got f32 [2, 3, 3] (in attention)");
  CHECK(error_text([&] {
          return attention(x, x, x, Mask::keep(ones({2, 4, 3, 3}, {.dtype = DType::boolean})));
        }).rfind("[Mask::keep] the mask does not broadcast to the scores: expected [2, 3, ", 0) == 0);
  Attention covering({.query_size = 6, .key_size = 6, .heads = 3, .score = Score::coverage({.attention_size = 2})},
                     generator);
  CHECK(error_text([&] {
          const Tensor last = zeros({2, 3});
          return covering(x, x, x, Mask::none(), {.alignment = {.last = last, .total = last}});
        }) == "[attention] wrong alignment.last: expected [2, 3, 3], got f32 [2, 3] (in attention)");
}

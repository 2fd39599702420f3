// SPDX-License-Identifier: MIT
// The attention chain: the order of its steps, tiles against the composed path, what weights and values may be asked
// for, layers of one's own, and messages.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
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

constexpr int64_t kBatch = 2, kQueries = 3, kKeys = 5, kSize = 4, kValues = 3;

struct Data {
  explicit Data(uint64_t seed) : random(seed) {
    query = random.floating({kBatch, kQueries, kSize});
    keys = random.floating({kBatch, kKeys, kSize});
    values = random.floating({kBatch, kKeys, kValues});
    bias = random.floating({kBatch, kQueries, kKeys});
    scale = random.floating({kBatch, kQueries, 1});
  }
  RandomTensors random;
  Tensor query, keys, values, bias, scale;
};

Mask lengths_mask() { return Mask::from_lengths(tests::i64({5, 3}, {2})); }

Mask scattered_mask() {
  return Mask::keep(tests::bools({1, 0, 1, 1, 0, /**/ 0, 0, 0, 0, 0, /**/ 0, 1, 1, 0, 1}, {kQueries, kKeys}));
}

AttentionOptions sized(AttentionOptions options) {
  options.query_size = options.key_size = kSize;
  options.dtype = DType::f64;
  return options;
}

// Context, and its gradients for a random cotangent with respect to query, keys, values, bias, scale and parameters.
std::vector<Tensor> context_and_gradients(Attention& attention, const Data& data, const Mask& mask,
                                          ReturnWeights weights = ReturnWeights::no) {
  const std::vector<Variable> in = {leaf(data.query), leaf(data.keys), leaf(data.values), leaf(data.bias),
                                    leaf(data.scale)};
  const AttentionOutput out = attention(in[0], in[1], in[2], mask, {.scale = in[4], .bias = in[3], .weights = weights});
  std::vector<Variable> targets = in;
  for (const NamedParameter& named : attention.parameters()) targets.push_back(named.parameter->variable());
  const Variable cotangent = RandomTensors(77).floating(out.context.shape());
  std::vector<Tensor> all = {out.context.value()};
  for (const Variable& g : grad({out.context}, targets, {.allow_unused = true, .cotangents = {cotangent}})) {
    all.push_back(g.defined() ? g.value() : Tensor());
  }
  return all;
}

double largest_difference(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    REQUIRE(a[i].defined() == b[i].defined());
    if (a[i].defined()) worst = std::max(worst, largest_error(a[i], b[i]));
  }
  return worst;
}

// A hook that changes nothing makes the Attention call its normaliser.
void compose(Attention& attention) {
  attention.submodule("normaliser").on_output_([](const Variable&) { return Variable(); });
}

}  // namespace

TEST_CASE("the steps of the chain have one order: score, scale, bias, soft-cap, mask, normaliser, weighted sum") {
  const uint64_t seed = tests::seed(81);
  INFO("seed " << seed);
  const Data data(seed);
  Generator generator(seed);
  Attention attention(sized({.score = Score::dot(), .scale = 1.7, .soft_cap = 0.6}), generator);
  const Mask mask = lengths_mask() & scattered_mask();
  const Variable keep = mask.tensor({.batch = kBatch, .queries = kQueries, .keys = kKeys});
  const Variable z = matmul(data.query, data.keys.transpose(1, 2)) * 1.7 * data.scale + Variable(data.bias);
  const Variable weights = softmax(tanh(z / 0.6) * 0.6, -1, keep);
  const Variable context = matmul(weights, data.values);
  const AttendOptions call{.scale = data.scale, .bias = data.bias, .weights = ReturnWeights::before_dropout};
  const AttentionOutput tiled = attention(data.query, data.keys, data.values, mask, call);
  CHECK(largest_error(tiled.context.value(), context.value()) < 1e-14);
  CHECK(largest_error(tiled.weights.value(), weights.value()) < 1e-14);
  compose(attention);
  const AttentionOutput composed = attention(data.query, attention.prepare(data.keys, data.values, mask), call);
  CHECK(largest_error(composed.context.value(), context.value()) < 1e-14);
  CHECK(bitwise_equal(composed.weights.value(), tiled.weights.value()));
}

TEST_CASE("tiles and the composed path give the same context and gradients, for every product and every option") {
  const uint64_t seed = tests::seed(82);
  INFO("seed " << seed);
  const Data data(seed);
  for (const tests::NamedScore& named : tests::all_scores()) {
    for (const Sink sink : {Sink::none, Sink::zero, Sink::learned}) {
      for (const bool capped : {false, true}) {
        for (const Mask& mask : {Mask::none(), lengths_mask(), Mask::causal() & Mask::sliding_window(1),
                                 lengths_mask() & scattered_mask()}) {
          INFO(named.name << ", sink " << static_cast<int>(sink) << ", capped " << capped);
          AttentionOptions options{.score = named.score, .normaliser = Normaliser::softmax({.sink = sink})};
          if (capped) options.soft_cap = 1.1;
          Generator generator(seed);
          Attention attention(sized(options), generator);
          tests::randomise(attention, generator);
          const std::vector<Tensor> tiled = context_and_gradients(attention, data, mask);
          compose(attention);
          // Measured over five seeds: at most 5.4e-15.
          CHECK(largest_difference(tiled, context_and_gradients(attention, data, mask)) < 1e-12);
        }
      }
    }
  }
}

TEST_CASE("tiles compute softmax over products for several queries, unless something must see the weights") {
  const Data data(1);
  Generator generator(1);
  // Whether a call without weights applies the op that works in tiles.
  const auto tiled = [&](const AttentionOptions& options, int64_t queries, const auto& prepare) {
    Attention attention(sized(options), generator);
    prepare(attention);
    bool seen = false;
    const ApplyObserver observer{
        .call =
            [](void* state, const OpDef& op, const Attrs&, const Variable* const*, size_t, const Variable*, size_t) {
              if (std::string(op.name) == "dot_product_attention") *static_cast<bool*>(state) = true;
            },
        .state = &seen};
    context().apply_observer = &observer;
    static_cast<void>(attention(Variable(data.query.slice(1, 0, queries)), attention.prepare(data.keys)));
    context().apply_observer = nullptr;
    return seen;
  };
  const auto plain = [](Attention&) {};
  CHECK(tiled({}, 2, plain));
  CHECK(tiled({.score = Score::biaffine(), .normaliser = Normaliser::softmax({.sink = Sink::learned})}, 3, plain));
  CHECK(tiled({.window = {.width = 1}}, 2, plain));
  CHECK(!tiled({}, 1, plain));
  CHECK(!tiled({}, 2, compose));
  CHECK(!tiled({}, 2, [](Attention& attention) {
    attention.submodule("score").on_output_([](const Variable&) { return Variable(); });
  }));
  CHECK(tiled({.dropout = 0.5}, 2, plain));
  CHECK(!tiled({.dropout = 0.5}, 2, [](Attention& attention) {
    attention.submodule("dropout").on_output_([](const Variable&) { return Variable(); });
  }));
  CHECK(!tiled({.window = {.width = 1, .predicted = true}}, 2, plain));
  CHECK(!tiled({.normaliser = Normaliser::softmax({.temperature = 2.0})}, 2, plain));
  CHECK(!tiled({.normaliser = Normaliser::sparsemax()}, 2, plain));
  CHECK(!tiled({.over = NormaliseOver::queries}, 2, plain));
  CHECK(!tiled({.score = Score::additive({.attention_size = 2})}, 2, plain));
}

TEST_CASE("asking for the weights changes no bit of the context or of its gradients, and gives the weights") {
  const uint64_t seed = tests::seed(83);
  INFO("seed " << seed);
  const Data data(seed);
  for (const tests::NamedScore& score : tests::all_scores()) {
    for (const tests::NamedNormaliser& normaliser : tests::all_normalisers()) {
      for (const NormaliseOver over : {NormaliseOver::keys, NormaliseOver::queries}) {
        if (over == NormaliseOver::queries && (score.remembers || normaliser.remembers)) continue;
        INFO(score.name << ", " << normaliser.name);
        const AttentionOptions options{.score = score.score, .normaliser = normaliser.normaliser, .over = over};
        Generator generator(seed);
        Attention attention(sized(options), generator);
        attention.eval_();
        const Mask mask = lengths_mask() & scattered_mask();
        const std::vector<Tensor> plain = context_and_gradients(attention, data, mask);
        const std::vector<Tensor> asked = context_and_gradients(attention, data, mask, ReturnWeights::before_dropout);
        for (size_t i = 0; i < plain.size(); ++i) {
          CHECK(plain[i].defined() == asked[i].defined());
          if (plain[i].defined()) CHECK(bitwise_equal(plain[i], asked[i]));
        }
        const AttentionOutput out =
            attention(data.query, data.keys, data.values, mask,
                      {.scale = data.scale, .bias = data.bias, .weights = ReturnWeights::before_dropout});
        CHECK(largest_error(out.context.value(), matmul(out.weights, data.values).value()) < 1e-14);
        CHECK(!attention(data.query, data.keys, data.values, mask).weights.defined());
      }
    }
  }
}

TEST_CASE("dropout acts on the weights in training mode, in tiles, without them and under a hook alike") {
  const uint64_t seed = tests::seed(84);
  INFO("seed " << seed);
  const Data data(seed);
  const auto made = [&](double p) {
    Generator generator(seed);
    return Attention(sized({.dropout = p}), generator);
  };
  Attention tiled = made(0.5), asked = made(0.5), dropped = made(0.5), composed = made(0.5), hooked = made(0.5);
  compose(composed);
  hooked.submodule("dropout").on_output_([](const Variable&) { return Variable(); });
  const auto run = [&](Attention& attention, ReturnWeights weights) {
    return attention(data.query, data.keys, data.values, lengths_mask(), {.weights = weights});
  };
  // The second call: the streams must have gone on alike.
  for (Attention* each : {&tiled, &asked, &dropped, &composed, &hooked}) {
    static_cast<void>(run(*each, ReturnWeights::no));
  }
  const Tensor context = run(tiled, ReturnWeights::no).context.value();
  const AttentionOutput before = run(asked, ReturnWeights::before_dropout);
  const AttentionOutput after = run(dropped, ReturnWeights::after_dropout);
  CHECK(bitwise_equal(before.context.value(), context));
  CHECK(bitwise_equal(after.context.value(), context));
  CHECK(largest_error(context, matmul(after.weights, data.values).value()) < 1e-14);
  CHECK(largest_error(context, run(composed, ReturnWeights::no).context.value()) < 1e-14);
  CHECK(largest_error(context, run(hooked, ReturnWeights::no).context.value()) < 1e-14);
  const Tensor ratio = (after.weights / (before.weights + 1e-300)).value();
  CHECK(all_zero((Variable(ratio) * (Variable(ratio) - 2.0)).value()));
  CHECK(!all_zero(ratio));
  CHECK(largest_error(after.weights.value(), before.weights.value()) > 0.1);
  tiled.eval_();
  Attention none = made(0.0);
  CHECK(bitwise_equal(run(tiled, ReturnWeights::no).context.value(), run(none, ReturnWeights::no).context.value()));
}

TEST_CASE("a prepared memory gives what a single call gives, for all queries at once and one at a time") {
  const uint64_t seed = tests::seed(85);
  INFO("seed " << seed);
  const Data data(seed);
  for (const tests::NamedScore& score : tests::all_scores()) {
    INFO(score.name);
    Generator generator(seed);
    Attention attention(sized({.score = score.score}), generator);
    for (const Mask& mask : {lengths_mask(), lengths_mask() & Mask::sliding_window(1)}) {
      const Tensor at_once = attention(data.query, data.keys, data.values, mask).context.value();
      const PreparedMemory prepared = attention.prepare(data.keys, data.values, mask);
      CHECK(largest_error(attention(data.query, prepared).context.value(), at_once) < 1e-14);
    }
    const PreparedMemory prepared = attention.prepare(data.keys, data.values, lengths_mask());
    const Tensor all = attention(data.query, prepared).context.value();
    Alignment alignment;
    for (int64_t i = 0; i < kQueries; ++i) {
      const AttentionOutput one = attention(data.query.slice(1, i, i + 1).clone(), prepared, {.alignment = alignment});
      alignment = one.alignment;
      CHECK(alignment.last.defined() == score.remembers);
      CHECK(largest_error(one.context.value(), all.slice(1, i, i + 1)) < 1e-14);
    }
    const PreparedMemory own = attention.prepare(data.keys, lengths_mask());
    CHECK(
        bitwise_equal(attention(data.query, own).context.value(),
                      attention(data.query, attention.prepare(data.keys, data.keys, lengths_mask())).context.value()));
  }
}

namespace {

struct DistanceOptions {
  AttentionSizes sizes = {};
};

// -|W q - k|^2, a score of one's own with a parameter.
struct Distance : Layer<Distance, DistanceOptions> {
  using Layer::Layer;
  Parameter weight{parameter("weight", ones({options().sizes.key_size}, {.dtype = options().sizes.dtype}))};
  Variable forward(const Variable& query, const Variable& keys) {
    return -sum(square(unsqueeze(query * weight, 2) - unsqueeze(keys, 1)), {-1});
  }
};

// A normaliser of one's own that knows nothing of masks.
struct Squared : Layer<Squared> {
  using Layer::Layer;
  Variable forward(const Variable& scores, const Variable&) { return square(scores) + 1.0; }
};

struct WrongScore : Layer<WrongScore> {
  using Layer::Layer;
  Variable forward(const Variable& query, const Variable& keys) { return matmul(keys, transpose(query, 1, 2)); }
};

struct WrongWeights : Layer<WrongWeights> {
  using Layer::Layer;
  Variable forward(const Variable& scores, const Variable&) { return sum(scores, {-1}); }
};

}  // namespace

TEST_CASE("a score and a normaliser of one's own take part in the chain, with masks, names, clones and hooks") {
  const uint64_t seed = tests::seed(86);
  INFO("seed " << seed);
  const Data data(seed);
  Generator generator(seed);
  Attention attention(sized({.score = Score::of<Distance>(), .normaliser = Normaliser::of<Squared>()}), generator);
  CHECK(attention.state_dict()[0].name == "score.weight");
  tests::randomise(attention, generator);
  const Mask mask = lengths_mask() & scattered_mask();
  const Variable keep = mask.tensor({.batch = kBatch, .queries = kQueries, .keys = kKeys});
  const Variable weight = attention.parameters()[0].parameter->variable();
  const Variable distance =
      sum(square(unsqueeze(Variable(data.query) * weight, 2) - unsqueeze(Variable(data.keys), 1)), {-1});
  const Variable expected = where(keep, square(distance) + 1.0, zeros({}, {.dtype = DType::f64}));
  const AttendOptions ask{.weights = ReturnWeights::before_dropout};
  const AttentionOutput out = attention(data.query, data.keys, data.values, mask, ask);
  CHECK(largest_error(out.weights.value(), expected.value()) < 1e-13);
  const Owned<Attention> copy = attention.clone();
  CHECK(bitwise_equal((*copy)(data.query, data.keys, data.values, mask, ask).weights.value(), out.weights.value()));
  int seen = 0;
  attention.submodule("score").on_output_([&](const Variable& scores) {
    CHECK(scores.shape() == Shape{kBatch, kQueries, kKeys});
    ++seen;
    return Variable();
  });
  static_cast<void>(attention(data.query, data.keys, data.values, mask));
  CHECK(seen == 1);
}

TEST_CASE("the attention chain names what is wrong") {
  Generator generator(1);
  const auto made = [&](const AttentionOptions& options) {
    return error_text([&] { Attention layer(options, generator); });
  };
  CHECK(made({.key_size = 2}) == "[attention] expected query_size >= 1, got 0");
  CHECK(made({.query_size = 2}) == "[attention] expected key_size >= 1, got 0");
  CHECK(made({.query_size = 2, .key_size = 2, .soft_cap = 0}) == "[attention] expected a soft_cap > 0, got 0");
  CHECK(made({.query_size = 2, .key_size = 2, .dropout = 1}) == "[dropout] expected 0 <= p < 1, got 1");
  const Data data(1);
  Attention layer(sized({}), generator);
  const Variable query = data.query, keys = data.keys, values = data.values;
  CHECK(error_text([&] { return layer(select(query, 0, 0), keys, values); }) ==
        "[attention] expected a query [B, Tq, 4], got f64 [3, 4] (in attention)");
  CHECK(error_text([&] { return layer(narrow(query, 0, 0, 1), keys, values); }) ==
        "[attention] expected a query [2, Tq, 4], got f64 [1, 3, 4] (in attention)");
  CHECK(error_text([&] { return layer.prepare(values); }) ==
        "[attention] expected a memory [B, Tk, 4], got f64 [2, 5, 3] (in attention)");
  CHECK(error_text([&] { return layer.prepare(keys, narrow(values, 1, 0, 4)); }) ==
        "[attention] expected values [2, 5, Dv], got f64 [2, 4, 3] (in attention)");
  CHECK(error_text([&] {
          return layer(query, layer.prepare(keys), {.bias = zeros({2, 5})});
        }) == "[attention] bias does not broadcast to the scores: expected [2, 3, 5], got f32 [2, 5] (in attention)");
  CHECK(error_text([&] {
          return layer(query, layer.prepare(keys), {.scale = zeros({1, 1, 3, 1})});
        }) ==
        "[attention] scale does not broadcast to the scores: expected [2, 3, 5], got f32 [1, 1, 3, 1] (in attention)");
  Attention scored(sized({.score = Score::of<WrongScore>()}), generator);
  CHECK(error_text([&] { return scored(query, scored.prepare(keys)); }) ==
        "[attention] wrong scores from wrong_score: expected [2, 3, 5], got f64 [2, 5, 3] (in attention)");
  Attention weighted(sized({.normaliser = Normaliser::of<WrongWeights>()}), generator);
  CHECK(error_text([&] { return weighted(query, weighted.prepare(keys)); }) ==
        "[attention] wrong weights from wrong_weights: expected [2, 3, 5], got f64 [2, 3] (in attention)");
}

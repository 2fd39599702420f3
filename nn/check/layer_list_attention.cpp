// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/chain/chain.hpp>
#include <gradus/nn/check/layer_sample.hpp>

namespace gradus::detail {
namespace {

constexpr int64_t kQuerySize = 4, kKeySize = 4;

// Item 1 has two keys and item 2 none; the last query may attend to nothing.
Mask some_keys() {
  const Tensor keep = Tensor::from({1, 1, 1, /**/ 1, 0, 1, /**/ 0, 0, 0}, {3, 3}, {.dtype = DType::boolean});
  return Mask::from_lengths(integers({3, 2, 0}, {3})) & Mask::keep(keep);
}

AttentionOptions sized(AttentionOptions options) {
  options.query_size = kQuerySize;
  options.key_size = kKeySize;
  return options;
}

AttentionOptions scaled_dot() { return {}; }
AttentionOptions normalised_dot() {
  return {.score = Score::scaled_dot({.norm = QkNorm::rms}), .normaliser = Normaliser::softmax({.sink = Sink::zero})};
}
AttentionOptions unit_dot() { return {.score = Score::dot({.norm = QkNorm::l2}), .normaliser = Normaliser::none()}; }
AttentionOptions cosine() { return {.score = Score::cosine(), .normaliser = Normaliser::gumbel()}; }
AttentionOptions general() { return {.score = Score::general(), .normaliser = Normaliser::entmax15()}; }
AttentionOptions biaffine() {
  return {.score = Score::biaffine(), .soft_cap = 0.9, .normaliser = Normaliser::softmax({.sink = Sink::learned})};
}
AttentionOptions additive() {
  return {.score = Score::additive({.attention_size = 3}), .normaliser = Normaliser::softmax({.temperature = 0.7})};
}
AttentionOptions concat_halves() {
  return {.score = Score::concat({.attention_size = 3}), .normaliser = Normaliser::sigmoid(), .dropout = 0.3};
}
AttentionOptions trilinear() { return {.score = Score::trilinear(), .over = NormaliseOver::queries}; }
AttentionOptions location() {
  return {.score = Score::location({.max_positions = 3}), .normaliser = Normaliser::sparsemax()};
}

AttentionOptions monotonic() {
  return {.score = Score::general(), .normaliser = Normaliser::monotonic({.noise = 1.0})};
}
AttentionOptions energy() {
  return {.score = Score::additive({.attention_size = 4, .offset = -1.0}), .normaliser = Normaliser::sigmoid()};
}
AttentionOptions location_aware() {
  return {.score = Score::location_aware({.attention_size = 3, .filters = 2, .width = 3, .cumulative = true})};
}
AttentionOptions coverage() { return {.score = Score::coverage({.attention_size = 3, .max_fertility = 2.0})}; }
AttentionOptions local() { return {.window = {.width = 1}}; }
AttentionOptions local_predicted() { return {.window = {.width = 2, .predicted = true, .hidden_size = 2}}; }
AttentionOptions heads_in_tiles() {
  return {.heads = 2, .score = Score::general(), .normaliser = Normaliser::softmax({.sink = Sink::learned})};
}
AttentionOptions additive_heads() {
  return {.heads = 2,
          .score = Score::additive({.attention_size = 3}),
          .window = {.width = 2, .predicted = true, .hidden_size = 2},
          .normaliser = Normaliser::entmax15()};
}
AttentionOptions coverage_heads() {
  return {.heads = 2, .score = Score::coverage({.attention_size = 3}), .dropout = 0.3};
}
AttentionOptions monotonic_heads() {
  return {.heads = 4, .score = Score::biaffine(), .normaliser = Normaliser::monotonic()};
}

template <AttentionOptions (*options)(), bool weights>
Owned<LayerSample> make_chain(Generator& g) {
  return sample<Attention>(sized(options()), g)
      .input("query", {3, 3, kQuerySize})
      .input("memory", {3, 3, kKeySize}, before_lengths({3, 2, 0}, 3))
      .as_function([](Attention& layer, const Values& in) {
        const ReturnWeights ask = weights ? ReturnWeights::after_dropout : ReturnWeights::no;
        const AttentionOutput out = layer(in[0], layer.prepare(in[1], some_keys()), {.weights = ask});
        return weights ? Values{out.context, out.weights} : Values{out.context};
      });
}

// Item 1 has two steps and item 2 none.
Mask some_steps() { return Mask::from_lengths(integers({3, 2, 0}, {3})); }

Owned<LayerSample> make_pooling(Generator& g) {
  return sample<AttentionPooling>(AttentionPoolingOptions{.input_size = 3, .attention_size = 2, .hops = 2}, g)
      .input("x", {3, 3, 3}, before_lengths({3, 2, 0}, 3))
      .as_function([](AttentionPooling& layer, const Values& in) {
        const AttentionOutput out = layer(in[0], some_steps());
        return Values{out.context, pooling_penalty(out.weights)};
      });
}

Owned<LayerSample> make_pooling_with_query(Generator& g) {
  return sample<AttentionPooling>(
             AttentionPoolingOptions{.input_size = 3, .attention_size = 2, .query_size = 4, .bias = false}, g)
      .input("x", {3, 3, 3}, before_lengths({3, 2, 0}, 3))
      .input("query", {3, 4}, Tensor::from({1, 1, 0}, {3, 1}, {.dtype = DType::boolean}))
      .as_function([](AttentionPooling& layer, const Values& in) {
        const AttentionOutput out = layer(in[0], some_steps(), in[1]);
        return Values{out.context, out.weights};
      });
}

template <bool causal>
Owned<LayerSample> make_linear_attention(Generator& g) {
  const Tensor keep = before_lengths({3, 2, 0}, 3);
  return sample<LinearAttention>(LinearAttentionOptions{.causal = causal}, g)
      .input("query", {3, 3, 2})
      .input("keys", {3, 3, 2}, keep)
      .input("values", {3, 3, 4}, keep)
      .as_function(
          [](LinearAttention& layer, const Values& in) { return Values{layer(in[0], in[1], in[2], some_steps())}; });
}

const LayerCase kAttentionLayers[] = {
    {"attention pooling, two hops, penalty", make_pooling},
    {"attention pooling, a query, no bias", make_pooling_with_query},
    {"linear attention", make_linear_attention<false>},
    {"linear attention, causal", make_linear_attention<true>},
    {"attention, scaled dot", make_chain<scaled_dot, true>},
    {"attention, rms dot, sink of 0", make_chain<normalised_dot, false>},
    {"attention, dot of unit vectors, the scores as weights", make_chain<unit_dot, true>},
    {"attention, cosine, gumbel", make_chain<cosine, true>},
    {"attention, general, entmax15", make_chain<general, true>},
    {"attention, biaffine, soft-cap, learned sink", make_chain<biaffine, false>},
    {"attention, additive, softmax with a temperature", make_chain<additive, true>},
    {"attention, concat, sigmoid, dropout", make_chain<concat_halves, true>},
    {"attention, trilinear, over queries", make_chain<trilinear, true>},
    {"attention, location, sparsemax", make_chain<location, true>},
    {"attention, general, monotonic", make_chain<monotonic, true>},
    {"attention, additive with an offset, sigmoid", make_chain<energy, true>},
    {"attention, location-aware, cumulative", make_chain<location_aware, true>},
    {"attention, coverage with fertility", make_chain<coverage, true>},
    {"attention, local-m", make_chain<local, false>},
    {"attention, local-p", make_chain<local_predicted, true>},
    {"attention, two heads, general, learned sink", make_chain<heads_in_tiles, false>},
    {"attention, two heads, additive, entmax15, local-p", make_chain<additive_heads, true>},
    {"attention, two heads, coverage, dropout", make_chain<coverage_heads, true>},
    {"attention, four heads, biaffine, monotonic", make_chain<monotonic_heads, true>},
};

}  // namespace

std::span<const LayerCase> attention_layers() { return kAttentionLayers; }

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
#include <gradus/nn/check/layer_sample.hpp>

#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus {
namespace {

using detail::all_but_row;
using detail::before_lengths;
using detail::integers;
using detail::Sample;
using detail::sample;
using detail::Values;

Values all_outputs(const RecurrentOutput& out) {
  return out.c.defined() ? Values{out.output, out.h, out.c} : Values{out.output, out.h};
}

Owned<LayerSample> make_linear(Generator& g) {
  return sample<Linear>(LinearOptions{.input_size = 4, .output_size = 3}, g)
      .input("x", {2, 3, 4})
      .as_function([](Linear& layer, const Values& in) { return Values{layer(in[0])}; });
}

Owned<LayerSample> make_linear_without_bias(Generator& g) {
  return sample<Linear>(LinearOptions{.input_size = 3, .output_size = 5, .bias = false}, g)
      .input("x", {4, 3})
      .as_function([](Linear& layer, const Values& in) { return Values{layer(in[0])}; });
}

Owned<LayerSample> make_embedding(Generator& g) {
  return sample<Embedding>(EmbeddingOptions{.num_embeddings = 5, .embedding_size = 3}, g)
      .blocks("weight", all_but_row(3, 5, 3))
      .as_function([](Embedding& layer, const Values&) {
        return Values{layer(integers({1, 4, 1, 0, 2, 1}, {2, 3}))};  // row 3 unused, row 1 three times
      });
}

Owned<LayerSample> make_dropout(Generator& g) {
  return sample<Dropout>(DropoutOptions{.p = 0.4}, g)
      .input("x", {4, 5})
      .as_function([](Dropout& layer, const Values& in) { return Values{layer(in[0])}; });
}

template <class L, class Options>
Owned<LayerSample> make_plain(const Options& options, Generator& g) {
  return sample<L>(options, g).input("x", {2, 3, 3}).as_function([](L& layer, const Values& in) {
    return all_outputs(layer(in[0]));
  });
}

// Three layers in both directions, all states given, rows of length 5, 4, 1 and 0.
template <class L, class Options>
Owned<LayerSample> make_deep(Options options, Generator& g) {
  constexpr bool has_cell = std::is_same_v<L, Lstm>;
  options.input_size = 3;
  options.hidden_size = 2;
  options.num_layers = 3;
  options.bidirectional = true;
  options.dropout = 0.3;
  int64_t state = 2;
  if constexpr (has_cell) state = options.proj_size > 0 ? options.proj_size : state;
  Sample<L>& made =
      sample<L>(options, g).input("x", {4, 5, 3}, before_lengths({5, 4, 1, 0}, 5)).input("h0", {4, 6, state});
  if constexpr (has_cell) made.input("c0", {4, 6, 2});
  return made.as_function([](L& layer, const Values& in) {
    return all_outputs(
        layer(in[0], {.h0 = in[1], .c0 = in.size() > 2 ? in[2] : Variable(), .lengths = integers({5, 4, 1, 0}, {4})}));
  });
}

// Two layers in both directions from the layer's own initial state, rows of length 5, 4, 1 and 0.
template <class L, class Options>
Owned<LayerSample> make_without_states(Options options, Generator& g) {
  options.input_size = 3;
  options.hidden_size = 2;
  options.num_layers = 2;
  options.bidirectional = true;
  Sample<L>& made = sample<L>(options, g).input("x", {4, 5, 3}, before_lengths({5, 4, 1, 0}, 5));
  for (const NamedParameter& named : made.layer.parameters()) {
    if (named.name[1] != '0') continue;  // h0_l0, c0_l0, ... are 0 at first, where a sign or a factor would not show
    named.parameter->assign_(uniform(named.parameter->shape(), g, {.low = -1.0, .high = 1.0, .dtype = DType::f64}));
  }
  return made.as_function([](L& layer, const Values& in) {
    return all_outputs(layer(in[0], {.lengths = integers({5, 4, 1, 0}, {4})}));
  });
}

template <class L, class Options>
Owned<LayerSample> make_learned_states(Options options, Generator& g) {
  options.initial_state = InitialState::learned;
  return make_without_states<L>(options, g);
}

template <class L, class Options>
Owned<LayerSample> make_variational(Options options, Generator& g) {
  options.variational_dropout = 0.4;
  return make_without_states<L>(options, g);
}

// Keys of different lengths. One query of item 0 may attend to nothing, and item 2 has no keys.
Mask mask_from_tensor() {
  const Tensor keep =
      Tensor::from({1, 1, 1, 1, /**/ 0, 0, 0, 0, /**/ 1, 0, 1, 1}, {1, 3, 4}, {.dtype = DType::boolean});
  return Mask::from_lengths(integers({4, 2, 0}, {3})) & Mask::keep(keep);
}

// The same lengths. The window leaves the last query of item 1 without keys.
Mask mask_from_rules() { return Mask::from_lengths(integers({4, 2, 0}, {3})) & Mask::sliding_window(1); }

template <class L>
Values attend(L& layer, const Values& in, const Mask& mask) {
  const AttentionOutput out = layer(in[0], layer.prepare(in[1], mask));
  return {out.context, out.weights};
}

template <class L, Mask (*mask)(), class Options>
Owned<LayerSample> make_attention(const Options& options, Generator& g) {
  return sample<L>(options, g)
      .input("query", {3, 3, options.query_size})
      .input("memory", {3, 4, options.key_size}, before_lengths({4, 2, 0}, 4))
      .as_function([](L& layer, const Values& in) { return attend(layer, in, mask()); });
}

template <class L, class Options>
Owned<LayerSample> make_attention_without_mask(const Options& options, Generator& g) {
  return sample<L>(options, g)
      .input("query", {2, 1, options.query_size})
      .input("memory", {2, 5, options.key_size})
      .as_function([](L& layer, const Values& in) { return attend(layer, in, Mask::none()); });
}

Owned<LayerSample> make_self_attention(Generator& g) {
  return sample<MultiHeadAttention>(MultiHeadAttentionOptions{.model_size = 6, .heads = 3}, g)
      .input("x", {2, 4, 6})
      .as_function([](MultiHeadAttention& layer, const Values& in) { return Values{layer(in[0], Mask::causal())}; });
}

template <Mask (*mask)()>
Owned<LayerSample> make_cross_attention(Generator& g) {
  const MultiHeadAttentionOptions options{.model_size = 4, .heads = 4, .key_heads = 2, .memory_size = 3};
  return sample<MultiHeadAttention>(options, g)
      .input("query", {3, 3, 4})
      .input("memory", {3, 4, 3}, before_lengths({4, 2, 0}, 4))
      .as_function([](MultiHeadAttention& layer, const Values& in) {
        return Values{layer(in[0], in[1], mask()), layer.weights(in[0], in[1], mask())};
      });
}

template <CellKind cell, AttentionKind attention>
Owned<LayerSample> make_seq2seq(Generator& g) {
  const Seq2SeqOptions options{.source_vocab = 5,
                               .target_vocab = 4,
                               .embedding_size = 3,
                               .hidden_size = 2,
                               .cell = cell,
                               .attention = attention,
                               .dropout = cell == CellKind::lstm ? 0.2 : 0.0};
  Sample<Seq2Seq>& made = sample<Seq2Seq>(options, g).blocks("source_embedding.weight", all_but_row(0, 5, 3));
  return made.as_function([](Seq2Seq& layer, const Values&) {
    // Symbol 0 of the source occurs only after the end of a row.
    const Tensor source = integers({1, 2, 3, 4, /**/ 4, 3, 0, 0, /**/ 2, 0, 0, 0}, {3, 4});
    const Tensor target = integers({0, 1, 3, /**/ 0, 2, 2, /**/ 0, 3, 1}, {3, 3});
    return Values{layer(source, integers({4, 2, 0}, {3}), target)};
  });
}

const LayerCase kLayers[] = {
    {"linear", make_linear},
    {"linear without bias", make_linear_without_bias},
    {"embedding", make_embedding},
    {"dropout", make_dropout},
    {"rnn", [](Generator& g) { return make_plain<Rnn>(RnnOptions{.input_size = 3, .hidden_size = 4}, g); }},
    {"rnn, relu",
     [](Generator& g) {
       return make_plain<Rnn>(RnnOptions{.input_size = 3, .hidden_size = 4, .activation = RnnActivation::relu}, g);
     }},
    {"rnn, 3 layers, both directions, lengths", [](Generator& g) { return make_deep<Rnn>(RnnOptions{}, g); }},
    {"gru", [](Generator& g) { return make_plain<Gru>(GruOptions{.input_size = 3, .hidden_size = 4}, g); }},
    {"gru, 3 layers, both directions, lengths", [](Generator& g) { return make_deep<Gru>(GruOptions{}, g); }},
    {"gru, reset before",
     [](Generator& g) {
       return make_plain<Gru>(GruOptions{.input_size = 3, .hidden_size = 4, .reset_after = false}, g);
     }},
    {"gru, reset before, 3 layers, both directions, lengths",
     [](Generator& g) { return make_deep<Gru>(GruOptions{.reset_after = false}, g); }},
    {"lstm", [](Generator& g) { return make_plain<Lstm>(LstmOptions{.input_size = 3, .hidden_size = 4}, g); }},
    {"lstm, 3 layers, both directions, lengths",
     [](Generator& g) { return make_deep<Lstm>(LstmOptions{.forget_bias = 1.0}, g); }},
    {"lstm, a projection, 3 layers, both directions, lengths",
     [](Generator& g) { return make_deep<Lstm>(LstmOptions{.proj_size = 1}, g); }},
    {"rnn, learned initial states", [](Generator& g) { return make_learned_states<Rnn>(RnnOptions{}, g); }},
    {"gru, learned initial states", [](Generator& g) { return make_learned_states<Gru>(GruOptions{}, g); }},
    {"lstm, learned initial states", [](Generator& g) { return make_learned_states<Lstm>(LstmOptions{}, g); }},
    {"lstm, a projection, learned initial states",
     [](Generator& g) { return make_learned_states<Lstm>(LstmOptions{.proj_size = 1}, g); }},
    {"rnn, variational dropout", [](Generator& g) { return make_variational<Rnn>(RnnOptions{}, g); }},
    {"gru, variational dropout", [](Generator& g) { return make_variational<Gru>(GruOptions{}, g); }},
    {"lstm, variational dropout", [](Generator& g) { return make_variational<Lstm>(LstmOptions{}, g); }},
    {"additive attention",
     [](Generator& g) {
       return make_attention_without_mask<AdditiveAttention>(
           AdditiveAttentionOptions{.query_size = 3, .key_size = 4, .attention_size = 5}, g);
     }},
    {"additive attention, masked",
     [](Generator& g) {
       return make_attention<AdditiveAttention, mask_from_tensor>(
           AdditiveAttentionOptions{.query_size = 2, .key_size = 3, .attention_size = 4}, g);
     }},
    {"dot attention",
     [](Generator& g) {
       return make_attention_without_mask<DotAttention>(DotAttentionOptions{.query_size = 3, .key_size = 3}, g);
     }},
    {"dot attention, projected, masked",
     [](Generator& g) {
       return make_attention<DotAttention, mask_from_rules>(DotAttentionOptions{.query_size = 2, .key_size = 3}, g);
     }},
    {"multi-head attention, causal", make_self_attention},
    {"multi-head attention, grouped keys, a memory, masked by rules", make_cross_attention<mask_from_rules>},
    {"multi-head attention, grouped keys, a memory, masked by a tensor", make_cross_attention<mask_from_tensor>},
    {"seq2seq, rnn", make_seq2seq<CellKind::rnn, AttentionKind::none>},
    {"seq2seq, rnn, additive", make_seq2seq<CellKind::rnn, AttentionKind::additive>},
    {"seq2seq, rnn, dot", make_seq2seq<CellKind::rnn, AttentionKind::dot>},
    {"seq2seq, gru", make_seq2seq<CellKind::gru, AttentionKind::none>},
    {"seq2seq, gru, additive", make_seq2seq<CellKind::gru, AttentionKind::additive>},
    {"seq2seq, gru, dot", make_seq2seq<CellKind::gru, AttentionKind::dot>},
    {"seq2seq, lstm", make_seq2seq<CellKind::lstm, AttentionKind::none>},
    {"seq2seq, lstm, additive", make_seq2seq<CellKind::lstm, AttentionKind::additive>},
    {"seq2seq, lstm, dot", make_seq2seq<CellKind::lstm, AttentionKind::dot>},
};

}  // namespace

LayerSample::~LayerSample() = default;

std::span<const LayerCase> all_layers() {
  static const std::vector<LayerCase> all = [] {
    std::vector<LayerCase> cases(std::begin(kLayers), std::end(kLayers));
    for (const std::span<const LayerCase> more : {detail::normalised_recurrent_layers(), detail::attention_layers(),
                                                  detail::transformer_layers(), detail::model_layers()}) {
      cases.insert(cases.end(), more.begin(), more.end());
    }
    return cases;
  }();
  return all;
}

}  // namespace gradus

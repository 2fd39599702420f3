// SPDX-License-Identifier: MIT
#include <gradus/nn/check/layer_sample.hpp>
#include <gradus/nn/models/transformer.hpp>

namespace gradus::detail {
namespace {

constexpr int64_t kSteps = 3, kWidth = 4;

Owned<LayerSample> make_layer_norm(Generator& g) {
  return sample<LayerNorm>(LayerNormLayerOptions{.size = kWidth}, g)
      .input("x", {2, 3, kWidth})
      .as_function([](LayerNorm& layer, const Values& in) { return Values{layer(in[0])}; });
}

Owned<LayerSample> make_rms_norm(Generator& g) {
  return sample<RmsNorm>(RmsNormLayerOptions{.size = kWidth}, g)
      .input("x", {2, 3, kWidth})
      .as_function([](RmsNorm& layer, const Values& in) { return Values{layer(in[0])}; });
}

Owned<LayerSample> make_learned_positions(Generator& g) {
  return sample<LearnedPositions>(LearnedPositionsOptions{.max_length = 4, .size = 3}, g)
      .blocks("weight", all_but_row(0, 4, 3))
      .as_function([](LearnedPositions& layer, const Values&) { return Values{layer(3, 1)}; });
}

template <bool causal>
Owned<LayerSample> make_relative_bias(Generator& g) {
  return sample<RelativeBias>(RelativeBiasOptions{.heads = 2, .buckets = 4, .max_distance = 5, .causal = causal}, g)
      .as_function([](RelativeBias& layer, const Values&) { return Values{layer(4, 5)}; });
}

TransformerLayerOptions post_norm() { return {.model_size = kWidth, .heads = 2, .feed_forward_size = 5}; }

TransformerLayerOptions pre_norm() {
  return {.model_size = kWidth,
          .heads = 2,
          .feed_forward_size = 3,
          .key_heads = 1,
          .pre_norm = true,
          .activation = Activation::swiglu,
          .norm = NormKind::rms,
          .bias = false,
          .rotary = RotaryPairing::half_split};
}

TransformerLayerOptions with_dropout() {
  TransformerLayerOptions options = pre_norm();
  options.dropout = 0.2;
  options.activation = Activation::gelu;
  options.norm = NormKind::layer;
  options.rotary = RotaryPairing::interleaved;
  options.bias = true;
  return options;
}

TransformerLayerOptions run_again() {
  TransformerLayerOptions options = with_dropout();
  options.checkpoint = true;
  return options;
}

// Of two items; the second one has only its first position.
Mask short_second(int64_t steps) { return Mask::from_lengths(integers({static_cast<double>(steps), 1.0}, {2})); }

template <TransformerLayerOptions (*options)()>
Owned<LayerSample> make_encoder_layer(Generator& g) {
  return sample<TransformerEncoderLayer>(options(), g)
      .input("x", {2, kSteps, kWidth})
      .as_function([](TransformerEncoderLayer& layer, const Values& in) {
        return Values{layer(in[0], Mask::causal() & short_second(kSteps))};
      });
}

template <TransformerLayerOptions (*options)()>
Owned<LayerSample> make_decoder_layer(Generator& g) {
  return sample<TransformerDecoderLayer>(options(), g)
      .input("x", {2, kSteps, kWidth})
      .input("memory", {2, 2, kWidth}, before_lengths({2, 1}, 2))
      .as_function([](TransformerDecoderLayer& layer, const Values& in) {
        return Values{layer(in[0], in[1], {.memory_mask = short_second(2)})};
      });
}

template <DistanceBias bias>
Owned<LayerSample> make_encoder(Generator& g) {
  const TransformerEncoderOptions options{.layer = post_norm(),
                                          .num_layers = bias == DistanceBias::alibi ? 2 : 1,
                                          .causal = bias == DistanceBias::alibi,
                                          .distance_bias = bias};
  return sample<TransformerEncoder>(options, g)
      .input("x", {1, kSteps, kWidth})
      .as_function([](TransformerEncoder& layer, const Values& in) { return Values{layer(in[0])}; });
}

Owned<LayerSample> make_decoder(Generator& g) {
  const TransformerDecoderOptions options{.layer = pre_norm(), .num_layers = 1, .distance_bias = DistanceBias::learned};
  return sample<TransformerDecoder>(options, g)
      .input("x", {1, kSteps, kWidth})
      .input("memory", {1, 2, kWidth})
      .as_function([](TransformerDecoder& layer, const Values& in) { return Values{layer(in[0], in[1])}; });
}

Owned<LayerSample> make_transformer(Generator& g) {
  const TransformerOptions options{.layer = post_norm(), .num_encoder_layers = 1, .num_decoder_layers = 1};
  return sample<Transformer>(options, g)
      .input("source", {2, 2, kWidth}, before_lengths({2, 1}, 2))
      .input("target", {2, kSteps, kWidth})
      .as_function([](Transformer& layer, const Values& in) {
        return Values{layer(in[0], in[1], {.source_mask = short_second(2), .memory_mask = short_second(2)})};
      });
}

template <SymbolPositions positions>
Owned<LayerSample> make_symbol_input(Generator& g) {
  const SymbolInputOptions options{.vocab = 4, .model_size = 3, .positions = positions, .max_length = 3};
  return sample<SymbolInput>(options, g)
      .blocks("embedding.weight", all_but_row(3, 4, 3))
      .as_function([](SymbolInput& layer, const Values&) {
        return Values{layer(integers({1, 0, 2, 1}, {2, 2}), 1)};
      });
}

Owned<LayerSample> make_transformer_seq2seq(Generator& g) {
  const TransformerSeq2SeqOptions options{
      .source_vocab = 5, .target_vocab = 4, .layer = post_norm(), .num_encoder_layers = 1, .num_decoder_layers = 1};
  return sample<TransformerSeq2Seq>(options, g)
      .blocks("source_input.embedding.weight", all_but_row(0, 5, kWidth))
      .as_function([](TransformerSeq2Seq& layer, const Values&) {
        // Symbol 0 of the source occurs only after the end of a row.
        const Tensor source = integers({1, 2, 4, /**/ 3, 0, 0}, {2, 3});
        return Values{layer(source, integers({3, 1}, {2}), integers({0, 1, 3, /**/ 0, 2, 2}, {2, 3}))};
      });
}

Owned<LayerSample> make_transformer_lm(Generator& g) {
  TransformerLmOptions options{.vocab = 4, .layer = pre_norm(), .num_layers = 1, .tied_output = true};
  options.positions = SymbolPositions::none;
  return sample<TransformerLm>(options, g).as_function([](TransformerLm& layer, const Values&) {
    return Values{layer(integers({0, 1, 3, /**/ 2, 2, 0}, {2, 3}))};
  });
}

const LayerCase kTransformerLayers[] = {
    {"layer norm", make_layer_norm},
    {"rms norm", make_rms_norm},
    {"learned positions", make_learned_positions},
    {"relative bias", make_relative_bias<false>},
    {"relative bias, causal", make_relative_bias<true>},
    {"transformer encoder layer, norms after, relu", make_encoder_layer<post_norm>},
    {"transformer encoder layer, rms norms before, swiglu, rotary halves", make_encoder_layer<pre_norm>},
    {"transformer encoder layer, norms before, gelu, rotary pairs, dropout", make_encoder_layer<with_dropout>},
    {"transformer encoder layer that runs again in the backward, dropout", make_encoder_layer<run_again>},
    {"transformer decoder layer, norms after, relu", make_decoder_layer<post_norm>},
    {"transformer decoder layer, rms norms before, swiglu, rotary halves", make_decoder_layer<pre_norm>},
    {"transformer decoder layer that runs again in the backward, dropout", make_decoder_layer<run_again>},
    {"transformer encoder, learned bias", make_encoder<DistanceBias::learned>},
    {"transformer encoder, causal, alibi", make_encoder<DistanceBias::alibi>},
    {"transformer decoder, learned bias", make_decoder},
    {"transformer", make_transformer},
    {"symbol input, sinusoidal positions", make_symbol_input<SymbolPositions::sinusoidal>},
    {"symbol input, learned positions", make_symbol_input<SymbolPositions::learned>},
    {"transformer seq2seq", make_transformer_seq2seq},
    {"transformer language model, tied output", make_transformer_lm},
};

}  // namespace

std::span<const LayerCase> transformer_layers() { return kTransformerLayers; }

}  // namespace gradus::detail

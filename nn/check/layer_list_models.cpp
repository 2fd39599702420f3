// SPDX-License-Identifier: MIT
#include <gradus/nn/check/layer_sample.hpp>
#include <gradus/nn/models/luong.hpp>
#include <gradus/nn/models/rnn_search.hpp>

namespace gradus::detail {
namespace {

// Symbol 0 of the source occurs only after the end of a row.
Tensor short_sources() { return integers({1, 2, 3, /**/ 4, 3, 0, /**/ 0, 0, 0}, {3, 3}); }
Tensor short_lengths() { return integers({3, 2, 0}, {3}); }
Tensor short_targets() { return integers({0, 1, 3, /**/ 0, 2, 2, /**/ 0, 3, 1}, {3, 3}); }

template <class Model>
Values logits_of_short(Model& model, const Values&) {
  return {model(short_sources(), short_lengths(), short_targets())};
}

template <DeepOutput output>
Owned<LayerSample> make_rnn_search(Generator& g) {
  const RnnSearchOptions options{
      .source_vocab = 5, .target_vocab = 4, .embedding_size = 3, .hidden_size = 2, .maxout_size = 2, .output = output};
  return sample<RnnSearch>(options, g)
      .blocks("source_embedding.weight", all_but_row(0, 5, 3))
      .as_function(logits_of_short<RnnSearch>);
}

LuongSeq2SeqOptions luong_global() { return {}; }
LuongSeq2SeqOptions luong_local_predicted() {
  return {.num_layers = 1,
          .score = Score::dot(),
          .window = {.width = 2, .predicted = true},
          .input_feeding = false,
          .dropout = 0.2};
}
LuongSeq2SeqOptions luong_location_aware() {
  return {.num_layers = 1,
          .score = Score::location_aware({.attention_size = 2, .filters = 1, .width = 3}),
          .window = {.width = 1}};
}

template <LuongSeq2SeqOptions (*kind)()>
Owned<LayerSample> make_luong(Generator& g) {
  LuongSeq2SeqOptions options = kind();
  options.source_vocab = 5;
  options.target_vocab = 4;
  options.embedding_size = 3;
  options.hidden_size = 2;
  return sample<LuongSeq2Seq>(options, g)
      .blocks("source_embedding.weight", all_but_row(0, 5, 3))
      .as_function(logits_of_short<LuongSeq2Seq>);
}

const LayerCase kModelLayers[] = {
    {"rnn search, maxout", make_rnn_search<DeepOutput::maxout>},
    {"rnn search, linear output", make_rnn_search<DeepOutput::linear>},
    {"luong seq2seq, general, input feeding", make_luong<luong_global>},
    {"luong seq2seq, dot, local-p, dropout", make_luong<luong_local_predicted>},
    {"luong seq2seq, location-aware, local-m, input feeding", make_luong<luong_location_aware>},
};

}  // namespace

std::span<const LayerCase> model_layers() { return kModelLayers; }

}  // namespace gradus::detail

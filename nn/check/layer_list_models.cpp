// SPDX-License-Identifier: MIT
#include <gradus/nn/check/layer_sample.hpp>
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

const LayerCase kModelLayers[] = {
    {"rnn search, maxout", make_rnn_search<DeepOutput::maxout>},
    {"rnn search, linear output", make_rnn_search<DeepOutput::linear>},
};

}  // namespace

std::span<const LayerCase> model_layers() { return kModelLayers; }

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
// Seq2Seq does its products in another order than its formulas. This test computes the formulas step by step.
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

constexpr int64_t kVocab = 7, kEmbedding = 3, kHidden = 4, kBatch = 3, kSourceSteps = 4, kTargetSteps = 5;

// The entries whose names begin with `prefix`, with the prefix removed.
StateDict part(const StateDict& state, const std::string& prefix) {
  StateDict result;
  for (const NamedTensor& entry : state) {
    if (entry.name.rfind(prefix + ".", 0) == 0) result.push_back({entry.name.substr(prefix.size() + 1), entry.value});
  }
  return result;
}

// A separate layer with the weights of a part of the model.
template <class L, class Options>
Owned<L> loaded(const Options& options, const StateDict& state, const std::string& prefix) {
  Generator generator(0);
  Owned<L> layer(new L(options, generator));
  layer->to_(DType::f64);
  layer->load_state_dict(part(state, prefix));
  return layer;
}

Owned<Linear> loaded_linear(int64_t in, int64_t out, const StateDict& state, const std::string& prefix) {
  return loaded<Linear>(LinearOptions{.input_size = in, .output_size = out}, state, prefix);
}

// The contexts of one step, for any kind of attention.
struct Attention {
  Attention(AttentionKind kind, const StateDict& state, const RecurrentOutput& encoded, const Mask& mask)
      : fixed(concat({select(encoded.h, 1, 0), select(encoded.h, 1, 1)}, -1)) {
    if (kind == AttentionKind::additive) {
      const AdditiveAttentionOptions options{.query_size = kHidden, .key_size = 2 * kHidden, .attention_size = kHidden};
      additive = loaded<AdditiveAttention>(options, state, "attention");
      prepared = additive->prepare(encoded.output, mask);
    } else if (kind == AttentionKind::dot) {
      dot =
          loaded<DotAttention>(DotAttentionOptions{.query_size = kHidden, .key_size = 2 * kHidden}, state, "attention");
      prepared = dot->prepare(encoded.output, mask);
    }
  }
  Variable operator()(const Variable& h) {
    if (additive) return squeeze((*additive)(unsqueeze(h, 1), prepared).context, 1);
    if (dot) return squeeze((*dot)(unsqueeze(h, 1), prepared).context, 1);
    return fixed;
  }
  Variable fixed;
  Owned<AdditiveAttention> additive;
  Owned<DotAttention> dot;
  PreparedMemory prepared;
};

Variable by_formula(const Seq2Seq& model, const Tensor& source, const Tensor& lengths, const Tensor& target) {
  const Seq2SeqOptions& o = model.options();
  const StateDict state = model.state_dict();
  const EmbeddingOptions table{.num_embeddings = kVocab, .embedding_size = kEmbedding};
  const Owned<Embedding> source_embedding = loaded<Embedding>(table, state, "source_embedding");
  const Owned<Embedding> target_embedding = loaded<Embedding>(table, state, "target_embedding");
  const Owned<Recurrent> encoder = loaded<Recurrent>(
      RecurrentOptions{.cell = o.cell, .input_size = kEmbedding, .hidden_size = kHidden, .bidirectional = true}, state,
      "encoder");
  const Owned<Recurrent> decoder = loaded<Recurrent>(
      RecurrentOptions{.cell = o.cell, .input_size = kEmbedding + 2 * kHidden, .hidden_size = kHidden}, state,
      "decoder");
  const Owned<Linear> bridge = loaded_linear(kHidden, kHidden, state, "bridge");
  const Owned<Linear> output = loaded_linear(3 * kHidden + kEmbedding, kVocab, state, "output");

  const RecurrentOutput encoded = (*encoder)((*source_embedding)(source), {.lengths = lengths});
  Attention attention(o.attention, state, encoded, Mask::from_lengths(lengths));
  RecurrentState current{.h = unsqueeze(tanh((*bridge)(select(encoded.h, 1, 1))), 1), .c = {}};
  if (o.cell == CellKind::lstm) {
    const Owned<Linear> cell_bridge = loaded_linear(kHidden, kHidden, state, "cell_bridge");
    current.c = unsqueeze((*cell_bridge)(select(encoded.c, 1, 1)), 1);
  }
  std::vector<Variable> logits;
  for (int64_t t = 0; t < target.size(1); ++t) {
    const Variable embedded = (*target_embedding)(target.select(1, t));
    const Variable context = attention(select(current.h, 1, 0));
    current = decoder->step(concat({embedded, context}, -1), current);
    logits.push_back((*output)(concat({select(current.h, 1, 0), context, embedded}, -1)));
  }
  return stack(logits, 1);
}

}  // namespace

TEST_CASE("a seq2seq is the model that its formulas state, for every cell and attention") {
  const uint64_t seed = tests::seed(81);
  for (CellKind cell : {CellKind::rnn, CellKind::gru, CellKind::lstm}) {
    for (AttentionKind attention : {AttentionKind::none, AttentionKind::additive, AttentionKind::dot}) {
      INFO(cell_name(cell) << ", " << attention_name(attention) << ", seed " << seed);
      Generator generator(seed);
      Seq2Seq model({.source_vocab = kVocab,
                     .target_vocab = kVocab,
                     .embedding_size = kEmbedding,
                     .hidden_size = kHidden,
                     .cell = cell,
                     .attention = attention,
                     .dtype = DType::f64},
                    generator);
      detail::RandomTensors random(seed);
      const Tensor source = random.integers({kBatch, kSourceSteps}, 0, kVocab);
      const Tensor target = random.integers({kBatch, kTargetSteps}, 0, kVocab);
      const Tensor lengths = Tensor::from({4, 1, 3}, {kBatch}, {.dtype = DType::i64});
      const Tensor expected = by_formula(model, source, lengths, target).value();
      // Measured over four seeds: at most 2.3e-16.
      CHECK(largest_error(model(source, lengths, target).value(), expected) < 1e-14);
    }
  }
}

// SPDX-License-Identifier: MIT
#include <gradus/examples/classify/model.hpp>

#include <gradus/autograd/ops/views/views.hpp>

namespace gradus::examples::classify {

const char* pooling_name(Pooling pooling) { return pooling == Pooling::last ? "last" : "attention"; }

std::optional<Pooling> pooling_from(const std::string& name) {
  for (const Pooling pooling : {Pooling::last, Pooling::attention}) {
    if (name == pooling_name(pooling)) return pooling;
  }
  return std::nullopt;
}

Classifier::Classifier(const ClassifierOptions& o, const Place& place)
    : Layer(o, place),
      embedding_({.num_embeddings = o.vocab, .embedding_size = o.embedding_size}, child("embedding")),
      recurrent_({.cell = o.cell,
                  .input_size = o.embedding_size,
                  .hidden_size = o.hidden_size,
                  .num_layers = o.num_layers,
                  .bidirectional = o.directions == 2,
                  .dropout = o.num_layers > 1 ? o.dropout : 0.0},
                 child("recurrent")),
      dropout_({.p = o.dropout}, child("dropout")),
      output_({.input_size = o.directions * o.hidden_size, .output_size = o.classes}, child("output")) {
  if (o.pooling == Pooling::attention) {
    pooling_.emplace(
        AttentionPoolingOptions{.input_size = o.directions * o.hidden_size, .attention_size = o.hidden_size},
        child("pooling"));
  }
}

ClassifierOutput Classifier::forward(const Tensor& symbols, const Tensor& lengths) {
  const int64_t batch = symbols.size(0), size = options().directions * options().hidden_size;
  const EmbeddedSymbols embedded{.table = embedding_.weight(), .symbols = symbols};
  const RecurrentOutput read = recurrent_(embedded, {.lengths = lengths});
  if (!pooling_.has_value()) {
    const Variable last = slice(read.h, 1, -options().directions);  // of the last layer
    return {.logits = output_(dropout_(reshape(last, {batch, size}))), .weights = {}};
  }
  const AttentionOutput pooled = (*pooling_)(read.output, Mask::from_lengths(lengths));
  return {.logits = output_(dropout_(select(pooled.context, 1, 0))), .weights = select(pooled.weights, 1, 0)};
}

int64_t parameter_count(const ClassifierOptions& o) {
  const int64_t gates = o.cell == CellKind::rnn ? 1 : o.cell == CellKind::gru ? 3 : 4;
  const int64_t h = o.hidden_size, d = o.directions;
  const int64_t first = d * gates * h * (o.embedding_size + h + 2);
  const int64_t upper = (o.num_layers - 1) * d * gates * h * (d * h + h + 2);
  const int64_t pooling = o.pooling == Pooling::attention ? h * (d * h + 2) : 0;
  return o.vocab * o.embedding_size + first + upper + pooling + o.classes * (d * h + 1);
}

}  // namespace gradus::examples::classify

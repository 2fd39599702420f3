// SPDX-License-Identifier: MIT
#include <gradus/examples/char_lm/model.hpp>

namespace gradus::examples::char_lm {

CharLm::CharLm(const CharLmOptions& o, const Place& place)
    : Layer(o, place),
      embedding_({.num_embeddings = o.vocab, .embedding_size = o.embedding_size}, child("embedding")),
      recurrent_({.cell = o.cell,
                  .input_size = o.embedding_size,
                  .hidden_size = o.hidden_size,
                  .num_layers = o.num_layers,
                  .dropout = o.num_layers > 1 ? o.dropout : 0.0},
                 child("recurrent")),
      dropout_({.p = o.dropout}, child("dropout")),
      output_({.input_size = o.hidden_size, .output_size = o.vocab}, child("output")) {}

CharLmOutput CharLm::forward(const Tensor& symbols, const RecurrentState& state) {
  const EmbeddedSymbols embedded{.table = embedding_.weight(), .symbols = symbols};
  const RecurrentOutput read = recurrent_(embedded, {.h0 = state.h, .c0 = state.c});
  return {.logits = output_(dropout_(read.output)), .state = {.h = read.h, .c = read.c}};
}

int64_t parameter_count(const CharLmOptions& o) {
  const int64_t gates = o.cell == CellKind::rnn ? 1 : o.cell == CellKind::gru ? 3 : 4;
  const int64_t h = o.hidden_size;
  const int64_t upper = (o.num_layers - 1) * gates * h * (2 * h + 2);
  return o.vocab * o.embedding_size + gates * h * (o.embedding_size + h + 2) + upper + o.vocab * (h + 1);
}

}  // namespace gradus::examples::char_lm

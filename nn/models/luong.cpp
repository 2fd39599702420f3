// SPDX-License-Identifier: MIT
#include <gradus/nn/models/luong.hpp>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/models/parts.hpp>
#include <gradus/nn/required_size.hpp>
#include <gradus/tensor/creation.hpp>

namespace gradus {
namespace {

const LuongSeq2SeqOptions& checked(const LuongSeq2SeqOptions& o) {
  detail::require_size("luong_seq2seq", "source_vocab", o.source_vocab);
  detail::require_size("luong_seq2seq", "target_vocab", o.target_vocab);
  detail::require_size("luong_seq2seq", "embedding_size", o.embedding_size);
  detail::require_size("luong_seq2seq", "hidden_size", o.hidden_size);
  detail::require_size("luong_seq2seq", "num_layers", o.num_layers);
  return o;
}

LstmOptions layers_of(const LuongSeq2SeqOptions& o, int64_t input_size) {
  return {.input_size = input_size, .hidden_size = o.hidden_size, .num_layers = o.num_layers, .dtype = o.dtype};
}

}  // namespace

LuongSeq2Seq::LuongSeq2Seq(const LuongSeq2SeqOptions& o, const Place& place)
    : Layer(checked(o), place),
      source_embedding_({.num_embeddings = o.source_vocab, .embedding_size = o.embedding_size, .dtype = o.dtype},
                        child("source_embedding")),
      target_embedding_({.num_embeddings = o.target_vocab, .embedding_size = o.embedding_size, .dtype = o.dtype},
                        child("target_embedding")),
      encoder_(layers_of(o, o.embedding_size), child("encoder")),
      decoder_(layers_of(o, o.embedding_size + (o.input_feeding ? o.hidden_size : 0)), child("decoder")),
      attention_({.query_size = o.hidden_size,
                  .key_size = o.hidden_size,
                  .score = o.score,
                  .window = o.window,
                  .normaliser = o.normaliser,
                  .dtype = o.dtype},
                 child("attention")),
      attentional_({.input_size = 2 * o.hidden_size, .output_size = o.hidden_size, .bias = false, .dtype = o.dtype},
                   child("attentional")),
      output_({.input_size = o.hidden_size, .output_size = o.target_vocab, .dtype = o.dtype}, child("output")),
      dropout_({.p = o.dropout}, generator()) {
  if (o.dropout != 0.0) register_module("dropout", dropout_);
}

LuongSeq2Seq::Symbols LuongSeq2Seq::embed(Embedding& embedding, const Tensor& symbols) {
  Symbols result{.plain = {.table = embedding.weight(), .symbols = symbols}, .embedded = {}};
  const bool drops = options().dropout != 0.0 && (dropout_.training() || dropout_.has_hooks());
  if (drops || embedding.has_hooks()) result.embedded = embedding(symbols);
  if (drops) result.embedded = dropout_(result.embedded);
  return result;
}

// The memory, and the decoder before its first step.
PreparedMemory LuongSeq2Seq::encode(const Tensor& source, const Tensor& lengths, Progress& progress) {
  const Symbols symbols = embed(source_embedding_, lengths.defined() ? without_padding(source, lengths) : source);
  const RecurrentInput input{.lengths = lengths};
  const RecurrentOutput encoded =
      symbols.embedded.defined() ? encoder_(symbols.embedded, input) : encoder_(symbols.plain, input);
  for (int64_t layer = 0; layer < options().num_layers; ++layer) {
    progress.layers.push_back({.h = select(encoded.h, 1, layer), .c = select(encoded.c, 1, layer)});
  }
  if (options().input_feeding) {
    const int64_t hidden = options().hidden_size;
    progress.feed_weight = narrow(decoder_.weights(0).weight_ih, 1, options().embedding_size, hidden);
    progress.attentional = zeros({source.size(0), 1, hidden}, {.dtype = encoded.output.dtype()});
  }
  return attention_.prepare(encoded.output, detail::mask_of_lengths(lengths));
}

// The decoder's input for symbols: their part of the gates, or their embeddings when the decoder itself is called.
Variable LuongSeq2Seq::symbol_input(const Symbols& symbols) const {
  if (decoder_.has_hooks()) return detail::embedded(symbols.plain, symbols.embedded);
  const RecurrentWeights& w = decoder_.weights(0);
  return detail::project(symbols.plain, symbols.embedded, narrow(w.weight_ih, 1, 0, options().embedding_size),
                         w.bias_ih);
}

// The top layer's h [B, T, H] for the next T steps; one step at a time with input feeding.
Variable LuongSeq2Seq::advance(const Variable& symbol_input, Progress& progress) {
  if (decoder_.has_hooks()) {
    std::vector<Variable> h, c;
    for (const RecurrentState& layer : progress.layers) {
      h.push_back(layer.h);
      c.push_back(layer.c);
    }
    const Variable x = options().input_feeding ? detail::beside(symbol_input, progress.attentional) : symbol_input;
    const RecurrentOutput out = decoder_(x, {.h0 = stack(h, 1), .c0 = stack(c, 1)});
    for (size_t i = 0; i < h.size(); ++i) {
      const auto layer = static_cast<int64_t>(i);
      progress.layers[i] = {.h = select(out.h, 1, layer), .c = select(out.c, 1, layer)};
    }
    return out.output;
  }
  const NameScope scope(decoder_.name().c_str());
  Variable gates =
      options().input_feeding ? symbol_input + linear(progress.attentional, progress.feed_weight) : symbol_input;
  Variable top;
  for (size_t i = 0; i < progress.layers.size(); ++i) {
    const auto layer = static_cast<int64_t>(i);
    if (layer > 0) gates = linear(top, decoder_.weights(layer).weight_ih, decoder_.weights(layer).bias_ih);
    const SequenceOutput out = decoder_.recur(layer, gates, progress.layers[i].h, progress.layers[i].c);
    progress.layers[i] = {.h = out.h, .c = out.c};
    top = out.output;
  }
  return top;
}

// The next T steps up to h~; returns the weights that were asked for.
Variable LuongSeq2Seq::step(const Variable& symbol_input, const PreparedMemory& memory, Progress& progress,
                            ReturnWeights asked) {
  const Variable top = advance(symbol_input, progress);
  AttendOptions call{.alignment = progress.alignment, .weights = asked};
  const auto first = static_cast<double>(progress.position), steps = static_cast<double>(top.size(1));
  if (options().window.width > 0 && !options().window.predicted) {
    call.positions = arange(first, first + steps, {.dtype = DType::f64}).unsqueeze(0);
  }
  const AttentionOutput out = attention_(top, memory, call);
  progress.alignment = out.alignment;
  progress.position += top.size(1);
  progress.attentional = tanh(attentional_(concat({out.context, top}, -1)));
  return out.weights;
}

// h~ of all steps, [B, Tt, H].
Variable LuongSeq2Seq::attentional_vectors(const Symbols& target, const PreparedMemory& memory, Progress& progress) {
  const Variable input = symbol_input(target);
  if (input.size(1) == 0) return zeros({input.size(0), 0, options().hidden_size}, {.dtype = input.dtype()});
  if (!options().input_feeding) {
    (void)step(input, memory, progress, ReturnWeights::no);
    return progress.attentional;
  }
  std::vector<Variable> vectors;
  for (const Variable& next : unbind(unsqueeze(input, 2), 1)) {
    (void)step(next, memory, progress, ReturnWeights::no);
    vectors.push_back(progress.attentional);
  }
  return concat(vectors, 1);
}

Variable LuongSeq2Seq::forward(const Tensor& source, const Tensor& source_lengths, const Tensor& target_in) {
  detail::check_teacher_forcing(kind(), source, source_lengths, target_in);
  Progress progress;
  const PreparedMemory memory = encode(source, source_lengths, progress);
  return output_(dropout_(attentional_vectors(embed(target_embedding_, target_in), memory, progress)));
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <gradus/nn/seq2seq.hpp>

#include <gradus/autograd/ops/arithmetic.hpp>
#include <gradus/autograd/ops/elementwise.hpp>
#include <gradus/autograd/ops/linalg.hpp>
#include <gradus/autograd/ops/views.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {
namespace {

const Seq2SeqOptions& checked(const Seq2SeqOptions& o) {
  detail::require_size("seq2seq", "source_vocab", o.source_vocab);
  detail::require_size("seq2seq", "target_vocab", o.target_vocab);
  detail::require_size("seq2seq", "embedding", o.embedding);
  detail::require_size("seq2seq", "hidden", o.hidden);
  return o;
}

void check_symbols(const Tensor& symbols, const char* what) {
  GRADUS_CHECK(symbols.defined() && symbols.rank() == 2 && symbols.dtype() == DType::i64, "[seq2seq] expected ", what,
               " i64 [B, T], got ", describe(symbols));
}

Variable project(const EmbeddedSymbols& plain, const Variable& dropped, const Variable& weight, const Variable& bias) {
  return dropped.defined() ? linear(dropped, weight, bias) : project_symbols(plain, weight, bias);
}

}  // namespace

const char* attention_name(AttentionKind attention) {
  constexpr const char* kNames[] = {"none", "additive", "dot"};
  return kNames[static_cast<int>(attention)];
}

Seq2Seq::Seq2Seq(const Seq2SeqOptions& o, Generator& generator)
    : Layer("seq2seq"),
      options_(checked(o)),
      source_embedding_({.num_embeddings = o.source_vocab, .embedding_size = o.embedding, .dtype = o.dtype}, generator),
      target_embedding_({.num_embeddings = o.target_vocab, .embedding_size = o.embedding, .dtype = o.dtype}, generator),
      encoder_(
          {.cell = o.cell, .input_size = o.embedding, .hidden_size = o.hidden, .bidirectional = true, .dtype = o.dtype},
          generator),
      bridge_({.input_size = o.hidden, .output_size = o.hidden, .dtype = o.dtype}, generator),
      decoder_({.cell = o.cell, .input_size = o.embedding + 2 * o.hidden, .hidden_size = o.hidden, .dtype = o.dtype},
               generator),
      output_({.input_size = 3 * o.hidden + o.embedding, .output_size = o.target_vocab, .dtype = o.dtype}, generator),
      dropout_({.p = o.dropout}, generator) {
  register_module("source_embedding", source_embedding_);
  register_module("target_embedding", target_embedding_);
  register_module("encoder", encoder_);
  register_module("bridge", bridge_);
  if (o.cell == CellKind::lstm) {
    cell_bridge_.emplace(bridge_.options(), generator);
    register_module("cell_bridge", *cell_bridge_);
  }
  if (o.attention == AttentionKind::additive) {
    additive_.emplace(
        AdditiveAttentionOptions{
            .query_size = o.hidden, .key_size = 2 * o.hidden, .attention_size = o.hidden, .dtype = o.dtype},
        generator);
    register_module("attention", *additive_);
  } else if (o.attention == AttentionKind::dot) {
    dot_.emplace(DotAttentionOptions{.query_size = o.hidden, .key_size = 2 * o.hidden, .dtype = o.dtype}, generator);
    register_module("attention", *dot_);
  }
  register_module("decoder", decoder_);
  register_module("output", output_);
  if (o.dropout != 0.0) register_module("dropout", dropout_);
}

Seq2Seq::Symbols Seq2Seq::embed(const Embedding& embedding, const Tensor& symbols) {
  Symbols result{.plain = {.table = embedding.weight(), .symbols = symbols}, .dropped = {}};
  const bool acts = dropout_.training() && options_.dropout != 0.0;
  if (acts) result.dropped = dropout_(embedding.forward(symbols));
  return result;
}

Seq2Seq::Source Seq2Seq::encode(const Tensor& source, const Tensor& lengths) {
  const Symbols symbols = embed(source_embedding_, source);
  const RecurrentInput input{.lengths = lengths};
  const RecurrentOutput encoded =
      symbols.dropped.defined() ? encoder_(symbols.dropped, input) : encoder_(symbols.plain, input);
  const Variable& memory = encoded.output;
  Source result;
  result.start.h = tanh(bridge_(select(encoded.h, 1, 1)));
  if (cell_bridge_) result.start.c = (*cell_bridge_)(select(encoded.c, 1, 1));
  const NameScope scope(decoder_.name().c_str());
  const int64_t width = options_.embedding;
  const Variable of_context = narrow(decoder_.weights(0).weight_ih, 1, width, 2 * options_.hidden);
  if (options_.attention == AttentionKind::none) {
    result.context = reshape(encoded.h, {source.size(0), 1, 2 * options_.hidden});
    result.context_gates = linear(result.context, of_context);
    return result;
  }
  const Mask mask = Mask::from_lengths(lengths, source.size(1));
  result.prepared = additive_ ? additive_->prepare(memory, mask) : dot_->prepare(memory, mask);
  result.memory_gates = linear(memory, of_context);
  return result;
}

Variable Seq2Seq::symbol_gates(const Symbols& symbols) const {
  const RecurrentWeights& w = decoder_.weights(0);
  return project(symbols.plain, symbols.dropped, narrow(w.weight_ih, 1, 0, options_.embedding), w.bias_ih);
}

Variable Seq2Seq::attend(const Variable& h, const Source& source) {
  const Variable query = unsqueeze(h, 1);
  return additive_ ? additive_->weights(query, source.prepared) : dot_->weights(query, source.prepared);
}

SequenceOutput Seq2Seq::advance(const Variable& gates, const RecurrentState& state) {
  const NameScope scope(decoder_.name().c_str());
  return decoder_.recur(0, gates, state.h, state.c);
}

Seq2Seq::States Seq2Seq::unroll(const Symbols& target, const Source& source) {
  const Variable gates = symbol_gates(target);
  if (options_.attention == AttentionKind::none) {
    return {.h = advance(gates + source.context_gates, source.start).output, .context = source.context};
  }
  RecurrentState state = source.start;
  std::vector<Variable> h;
  std::vector<Variable> weights;
  // One [B, 1, G H] for each step.
  for (const Variable& step : unbind(unsqueeze(gates, 2), 1)) {
    weights.push_back(attend(state.h, source));
    const SequenceOutput next = advance(step + matmul(weights.back(), source.memory_gates), state);
    h.push_back(next.output);
    state = {.h = next.h, .c = next.c};
  }
  if (h.empty()) {
    const Tensor nothing = zeros({gates.size(0), 0, 2 * options_.hidden}, {.dtype = gates.dtype()});
    return {.h = nothing.slice(2, 0, options_.hidden), .context = nothing};
  }
  return {.h = concat(h, 1), .context = matmul(concat(weights, 1), source.prepared.memory)};
}

// W_o [s; c; E y] as three products: their inputs need not be copied side by side.
Variable Seq2Seq::output_logits(const States& states, const Symbols& target) {
  const NameScope scope(output_.name().c_str());
  const Variable& weight = output_.weight();
  const int64_t hidden = options_.hidden;
  const Variable from_state = linear(dropout_(states.h), narrow(weight, 1, 0, hidden));
  const Variable from_context = linear(dropout_(states.context), narrow(weight, 1, hidden, 2 * hidden));
  const Variable from_symbol =
      project(target.plain, target.dropped, narrow(weight, 1, 3 * hidden, options_.embedding), output_.bias());
  return from_state + from_context + from_symbol;
}

Variable Seq2Seq::forward(const Tensor& source, const Tensor& source_lengths, const Tensor& target_in) {
  check_symbols(source, "source");
  check_symbols(target_in, "target_in");
  GRADUS_CHECK(target_in.size(0) == source.size(0), "[seq2seq] batches differ: source is ", describe(source),
               ", target_in is ", describe(target_in));
  const Source encoded = encode(source, source_lengths);
  const Symbols target = embed(target_embedding_, target_in);
  return output_logits(unroll(target, encoded), target);
}

}  // namespace gradus

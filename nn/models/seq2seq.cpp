// SPDX-License-Identifier: MIT
#include <gradus/nn/models/seq2seq.hpp>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/models/parts.hpp>
#include <gradus/nn/required_size.hpp>
#include <gradus/tensor/detail/lengths.hpp>

namespace gradus {

using detail::beside;
using detail::embedded;
using detail::project;

namespace {

const Seq2SeqOptions& checked(const Seq2SeqOptions& o) {
  detail::require_size("seq2seq", "source_vocab", o.source_vocab);
  detail::require_size("seq2seq", "target_vocab", o.target_vocab);
  detail::require_size("seq2seq", "embedding_size", o.embedding_size);
  detail::require_size("seq2seq", "hidden_size", o.hidden_size);
  return o;
}

}  // namespace

const char* attention_name(AttentionKind attention) {
  constexpr const char* kNames[] = {"none", "additive", "dot"};
  return kNames[static_cast<int>(attention)];
}

Seq2Seq::Seq2Seq(const Seq2SeqOptions& o, const Place& place)
    : Layer(checked(o), place),
      source_embedding_({.num_embeddings = o.source_vocab, .embedding_size = o.embedding_size, .dtype = o.dtype},
                        child("source_embedding")),
      target_embedding_({.num_embeddings = o.target_vocab, .embedding_size = o.embedding_size, .dtype = o.dtype},
                        child("target_embedding")),
      encoder_({.cell = o.cell,
                .input_size = o.embedding_size,
                .hidden_size = o.hidden_size,
                .bidirectional = true,
                .dtype = o.dtype},
               child("encoder")),
      bridge_({.input_size = o.hidden_size, .output_size = o.hidden_size, .dtype = o.dtype}, child("bridge")),
      decoder_({.cell = o.cell,
                .input_size = o.embedding_size + 2 * o.hidden_size,
                .hidden_size = o.hidden_size,
                .dtype = o.dtype},
               generator()),
      output_({.input_size = 3 * o.hidden_size + o.embedding_size, .output_size = o.target_vocab, .dtype = o.dtype},
              generator()),
      dropout_({.p = o.dropout}, generator()) {
  // The members are registered in the order of the formulas, but they draw their first values in another order.
  if (o.cell == CellKind::lstm) {
    cell_bridge_.emplace(bridge_.options(), generator());
    register_module("cell_bridge", *cell_bridge_);
  }
  if (o.attention == AttentionKind::additive) {
    additive_.emplace(AdditiveAttentionOptions{.query_size = o.hidden_size,
                                               .key_size = 2 * o.hidden_size,
                                               .attention_size = o.hidden_size,
                                               .dtype = o.dtype},
                      generator());
    register_module("attention", *additive_);
  } else if (o.attention == AttentionKind::dot) {
    dot_.emplace(DotAttentionOptions{.query_size = o.hidden_size, .key_size = 2 * o.hidden_size, .dtype = o.dtype},
                 generator());
    register_module("attention", *dot_);
  }
  register_module("decoder", decoder_);
  register_module("output", output_);
  if (o.dropout != 0.0) register_module("dropout", dropout_);
}

Seq2Seq::Symbols Seq2Seq::embed(Embedding& embedding, const Tensor& symbols) {
  Symbols result{.plain = {.table = embedding.weight(), .symbols = symbols}, .embedded = {}};
  const bool drops = options().dropout != 0.0 && (dropout_.training() || dropout_.has_hooks());
  if (drops || embedding.has_hooks()) result.embedded = embedding(symbols);
  if (drops) result.embedded = dropout_(result.embedded);
  return result;
}

bool Seq2Seq::attention_has_hooks() const {
  return (additive_ && additive_->has_hooks()) || (dot_ && dot_->has_hooks());
}

// The part of the decoder's gates that comes from the context.
Variable Seq2Seq::of_context(const Variable& x) const {
  const NameScope scope(decoder_.name().c_str());
  return linear(x, narrow(decoder_.weights(0).weight_ih, 1, options().embedding_size, 2 * options().hidden_size));
}

Seq2Seq::Source Seq2Seq::encode(const Tensor& source, const Tensor& lengths) {
  const Tensor read = lengths.defined() ? without_padding(source, lengths) : source;
  const Symbols symbols = embed(source_embedding_, read);
  const RecurrentInput input{.lengths = lengths};
  const RecurrentOutput encoded =
      symbols.embedded.defined() ? encoder_(symbols.embedded, input) : encoder_(symbols.plain, input);
  const Variable& memory = encoded.output;
  Source result;
  result.start.h = tanh(bridge_(select(encoded.h, 1, 1)));
  if (cell_bridge_) result.start.c = (*cell_bridge_)(select(encoded.c, 1, 1));
  if (options().attention == AttentionKind::none) {
    result.context = reshape(encoded.h, {source.size(0), 1, 2 * options().hidden_size});
    result.context_gates = of_context(result.context);
    return result;
  }
  const Mask mask = detail::mask_of_lengths(lengths);
  result.prepared = additive_ ? additive_->prepare(memory, mask) : dot_->prepare(memory, mask);
  if (!needs_contexts()) result.memory_gates = of_context(memory);
  return result;
}

Seq2Seq::Look Seq2Seq::attend(const Variable& h, const Source& source) {
  if (options().attention == AttentionKind::none) return {};
  const Variable query = unsqueeze(h, 1);
  if (attention_has_hooks()) {
    const AttentionOutput out = additive_ ? (*additive_)(query, source.prepared) : (*dot_)(query, source.prepared);
    return {.weights = out.weights, .context = out.context};
  }
  Look look{.weights = additive_ ? additive_->weights(query, source.prepared) : dot_->weights(query, source.prepared),
            .context = {}};
  if (needs_contexts()) look.context = context_of(look, source);
  return look;
}

Variable Seq2Seq::context_of(const Look& look, const Source& source) const {
  if (look.context.defined()) return look.context;
  return look.weights.defined() ? matmul(look.weights, source.prepared.memory) : source.context;
}

// The decoder's input for a symbol: its part of the gates, or its embedding when the decoder itself is called.
Variable Seq2Seq::symbol_input(const Symbols& symbols) const {
  if (decoder_.has_hooks()) return embedded(symbols.plain, symbols.embedded);
  const RecurrentWeights& w = decoder_.weights(0);
  return project(symbols.plain, symbols.embedded, narrow(w.weight_ih, 1, 0, options().embedding_size), w.bias_ih);
}

SequenceOutput Seq2Seq::advance(const Variable& symbol_input, const Look& look, const Source& source,
                                const RecurrentState& state) {
  if (decoder_.has_hooks()) {
    const Variable c0 = state.c.defined() ? unsqueeze(state.c, 1) : Variable();
    const RecurrentOutput out =
        decoder_(beside(symbol_input, context_of(look, source)), {.h0 = unsqueeze(state.h, 1), .c0 = c0});
    return {.output = out.output, .h = select(out.h, 1, 0), .c = out.c.defined() ? select(out.c, 1, 0) : Variable()};
  }
  const Variable from_context = look.context.defined()   ? of_context(look.context)
                                : look.weights.defined() ? matmul(look.weights, source.memory_gates)
                                                         : source.context_gates;
  const NameScope scope(decoder_.name().c_str());
  return decoder_.recur(0, symbol_input + from_context, state.h, state.c);
}

Seq2Seq::States Seq2Seq::unroll(const Symbols& target, const Source& source) {
  const Variable input = symbol_input(target);
  if (options().attention == AttentionKind::none) {
    return {.h = advance(input, {}, source, source.start).output, .context = source.context};
  }
  RecurrentState state = source.start;
  std::vector<Variable> h;
  std::vector<Variable> weights;
  std::vector<Variable> contexts;
  // One [B, 1, ..] for each step.
  for (const Variable& step : unbind(unsqueeze(input, 2), 1)) {
    const Look look = attend(state.h, source);
    const SequenceOutput next = advance(step, look, source, state);
    h.push_back(next.output);
    weights.push_back(look.weights);
    if (look.context.defined()) contexts.push_back(look.context);
    state = {.h = next.h, .c = next.c};
  }
  if (h.empty()) {
    const Tensor nothing = zeros({input.size(0), 0, 2 * options().hidden_size}, {.dtype = input.dtype()});
    return {.h = nothing.slice(2, 0, options().hidden_size), .context = nothing};
  }
  Look all{.weights = concat(weights, 1), .context = contexts.empty() ? Variable() : concat(contexts, 1)};
  return {.h = concat(h, 1), .context = context_of(all, source)};
}

// W_o [s; c; E y] as three products: their inputs need not be copied side by side.
Variable Seq2Seq::output_logits(const States& states, const Symbols& target) {
  const Variable h = dropout_(states.h);
  const Variable context = dropout_(states.context);
  if (output_.has_hooks()) return output_(beside(beside(h, context), embedded(target.plain, target.embedded)));
  const NameScope scope(output_.name().c_str());
  const Variable& weight = output_.weight();
  const int64_t hidden = options().hidden_size;
  const Variable from_state = linear(h, narrow(weight, 1, 0, hidden));
  const Variable from_context = linear(context, narrow(weight, 1, hidden, 2 * hidden));
  const Variable from_symbol =
      project(target.plain, target.embedded, narrow(weight, 1, 3 * hidden, options().embedding_size), output_.bias());
  return from_state + from_context + from_symbol;
}

Variable Seq2Seq::forward(const Tensor& source, const Tensor& source_lengths, const Tensor& target_in) {
  detail::check_teacher_forcing(kind(), source, source_lengths, target_in);
  const Source encoded = encode(source, source_lengths);
  const Symbols target = embed(target_embedding_, target_in);
  return output_logits(unroll(target, encoded), target);
}

}  // namespace gradus

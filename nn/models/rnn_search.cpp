// SPDX-License-Identifier: MIT
#include <gradus/nn/models/rnn_search.hpp>

#include <algorithm>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/decoding/parts.hpp>
#include <gradus/nn/models/parts.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {
namespace {

const RnnSearchOptions& checked(const RnnSearchOptions& o) {
  detail::require_size("rnn_search", "source_vocab", o.source_vocab);
  detail::require_size("rnn_search", "target_vocab", o.target_vocab);
  detail::require_size("rnn_search", "embedding_size", o.embedding_size);
  detail::require_size("rnn_search", "hidden_size", o.hidden_size);
  GRADUS_CHECK(o.attention_size >= 0 && o.maxout_size >= 0,
               "[rnn_search] expected attention_size and maxout_size >= 0, got ", o.attention_size, " and ",
               o.maxout_size);
  return o;
}

// [s; E y; c].
int64_t deep_input_size(const RnnSearchOptions& o) { return 3 * o.hidden_size + o.embedding_size; }

int64_t maxout_size_of(const RnnSearchOptions& o) {
  return o.maxout_size > 0 ? o.maxout_size : std::max<int64_t>(1, o.hidden_size / 2);
}

}  // namespace

RnnSearch::RnnSearch(const RnnSearchOptions& o, const Place& place)
    : Layer(checked(o), place),
      source_embedding_({.num_embeddings = o.source_vocab, .embedding_size = o.embedding_size, .dtype = o.dtype},
                        child("source_embedding")),
      target_embedding_({.num_embeddings = o.target_vocab, .embedding_size = o.embedding_size, .dtype = o.dtype},
                        child("target_embedding")),
      encoder_({.input_size = o.embedding_size,
                .hidden_size = o.hidden_size,
                .bidirectional = true,
                .reset_after = false,
                .dtype = o.dtype},
               child("encoder")),
      bridge_({.input_size = o.hidden_size, .output_size = o.hidden_size, .dtype = o.dtype}, child("bridge")),
      attention_({.query_size = o.hidden_size,
                  .key_size = 2 * o.hidden_size,
                  .attention_size = o.attention_size > 0 ? o.attention_size : o.hidden_size,
                  .dtype = o.dtype},
                 child("attention")),
      decoder_({.input_size = o.embedding_size + 2 * o.hidden_size,
                .hidden_size = o.hidden_size,
                .reset_after = false,
                .dtype = o.dtype},
               child("decoder")) {
  int64_t width = deep_input_size(o);
  if (o.output == DeepOutput::maxout) {
    deep_output_.emplace(LinearOptions{.input_size = width, .output_size = 2 * maxout_size_of(o), .dtype = o.dtype},
                         child("deep_output"));
    width = maxout_size_of(o);
  }
  output_.emplace(LinearOptions{.input_size = width, .output_size = o.target_vocab, .dtype = o.dtype}, child("output"));
}

RnnSearch::Source RnnSearch::encode(const Tensor& source, const Tensor& lengths) {
  const Tensor read = lengths.defined() ? without_padding(source, lengths) : source;
  const RecurrentOutput encoded =
      source_embedding_.has_hooks()
          ? encoder_(source_embedding_(read), {.lengths = lengths})
          : encoder_(EmbeddedSymbols{.table = source_embedding_.weight(), .symbols = read}, {.lengths = lengths});
  Source result;
  result.start = tanh(bridge_(select(encoded.h, 1, 1)));
  result.prepared = attention_.prepare(encoded.output, detail::mask_of_lengths(lengths));
  if (decoder_.has_hooks() || attention_.has_hooks()) return result;
  const NameScope scope(decoder_.name().c_str());
  const Variable& weight = decoder_.weights(0).weight_ih;
  result.memory_gates = linear(encoded.output, narrow(weight, 1, options().embedding_size, 2 * options().hidden_size));
  return result;
}

RnnSearch::Look RnnSearch::attend(const Variable& state, const Source& source) {
  const Variable query = unsqueeze(state, 1);
  if (source.memory_gates.defined() && !attention_.has_hooks()) {
    return {.weights = attention_.weights(query, source.prepared), .context = {}};
  }
  const AttentionOutput out = attention_(query, source.prepared);
  return {.weights = out.weights, .context = out.context};
}

// The decoder's input for symbols: their part of the gates, or their embeddings when the decoder itself is called.
Variable RnnSearch::symbol_input(const Symbols& symbols) const {
  if (decoder_.has_hooks()) return detail::embedded(symbols.plain, symbols.embedded);
  const RecurrentWeights& w = decoder_.weights(0);
  return detail::project(symbols.plain, symbols.embedded, narrow(w.weight_ih, 1, 0, options().embedding_size),
                         w.bias_ih);
}

// s_i from s_{i-1}, both [B, n].
Variable RnnSearch::advance(const Variable& symbol_input, const Look& look, const Source& source,
                            const Variable& state) {
  if (decoder_.has_hooks()) {
    return select(decoder_(detail::beside(symbol_input, contexts_of(look, source)), {.h0 = unsqueeze(state, 1)}).h, 1,
                  0);
  }
  const NameScope scope(decoder_.name().c_str());
  const Variable& weight = decoder_.weights(0).weight_ih;
  const Variable from_context =
      look.context.defined()
          ? linear(look.context, narrow(weight, 1, options().embedding_size, 2 * options().hidden_size))
          : matmul(look.weights, source.memory_gates);
  return decoder_.recur(0, symbol_input + from_context, state, {}).h;
}

Variable RnnSearch::contexts_of(const Look& look, const Source& source) {
  return look.context.defined() ? look.context : matmul(look.weights, source.prepared.memory);
}

// The layer for [s; E y; c], as three products whose inputs need not be copied side by side.
Variable RnnSearch::of_all(Linear& layer, const Variable& states, const Symbols& symbols, const Variable& contexts) {
  if (layer.has_hooks()) {
    const Variable embedded = detail::embedded(symbols.plain, symbols.embedded);
    return layer(concat({states, embedded, contexts}, -1));
  }
  const NameScope scope(layer.name().c_str());
  const int64_t n = options().hidden_size, m = options().embedding_size;
  const Variable& weight = layer.weight();
  return linear(states, narrow(weight, 1, 0, n)) +
         detail::project(symbols.plain, symbols.embedded, narrow(weight, 1, n, m), layer.bias()) +
         linear(contexts, narrow(weight, 1, n + m, 2 * n));
}

Variable RnnSearch::logits_of(const Variable& states, const Symbols& symbols, const Variable& contexts) {
  if (!deep_output_) return of_all(*output_, states, symbols, contexts);
  const Variable pairs = of_all(*deep_output_, states, symbols, contexts);
  return (*output_)(max(reshape(pairs, {pairs.size(0), pairs.size(1), maxout_size_of(options()), 2}), {3}));
}

Variable RnnSearch::forward(const Tensor& source, const Tensor& source_lengths, const Tensor& target_in) {
  detail::check_teacher_forcing(kind(), source, source_lengths, target_in);
  const Source encoded = encode(source, source_lengths);
  Symbols symbols{.plain = {.table = target_embedding_.weight(), .symbols = target_in}, .embedded = {}};
  if (target_embedding_.has_hooks()) symbols.embedded = target_embedding_(target_in);
  const int64_t steps = target_in.size(1);
  if (steps == 0) {
    const Tensor nothing = zeros({source.size(0), 0, 2 * options().hidden_size}, {.dtype = encoded.start.dtype()});
    return logits_of(nothing.slice(2, 0, options().hidden_size), symbols, nothing);
  }
  std::vector<Variable> states = {encoded.start};  // s_0 .. s_{Tt - 1}: the last step needs no further state
  std::vector<Variable> weights, contexts;
  for (const Variable& input : unbind(unsqueeze(symbol_input(symbols), 2), 1)) {
    const Look look = attend(states.back(), encoded);
    weights.push_back(look.weights);
    if (look.context.defined()) contexts.push_back(look.context);
    if (static_cast<int64_t>(states.size()) < steps) states.push_back(advance(input, look, encoded, states.back()));
  }
  const Look all{.weights = concat(weights, 1), .context = contexts.empty() ? Variable() : concat(contexts, 1)};
  return logits_of(stack(states, 1), symbols, contexts_of(all, encoded));
}

/// The targets that an RnnSearch continues.
class RnnSearch::Target final : public detail::RecurrentTarget {
 public:
  Target(RnnSearch& model, const Tensor& source, const Tensor& lengths, const Tensor& prompt)
      : RecurrentTarget(model, lengths), model_(model) {
    begin_after(
        [&] {
          source_ = model.encode(source, lengths);
          state_ = source_.start;
        },
        prompt);
  }

 private:
  void reorder(const Tensor& order, bool other_items) override {
    const int64_t batch = state_.size(0);
    state_ = index_select(state_, 0, order);
    if (!other_items) return;
    source_.prepared = detail::chosen_rows(source_.prepared, lengths(), order, batch);
    source_.memory_gates = detail::chosen_rows(source_.memory_gates, order, batch);
    reorder_lengths(order);
  }

  Prediction step_of(const Tensor& column) override {
    Symbols symbols{.plain = {.table = model_.target_embedding_.weight(), .symbols = column}, .embedded = {}};
    if (model_.target_embedding_.has_hooks()) symbols.embedded = model_.target_embedding_(column);
    const Look look = model_.attend(state_, source_);
    const Variable logits = model_.logits_of(unsqueeze(state_, 1), symbols, contexts_of(look, source_));
    state_ = model_.advance(model_.symbol_input(symbols), look, source_, state_);
    return {.logits = logits.value().select(1, 0), .attention = look.weights.value().select(1, 0)};
  }

  RnnSearch& model_;
  Source source_;
  Variable state_;  // s_{i-1}
};

Owned<Continuation> RnnSearch::start(const Tensor& source, const Tensor& source_lengths, const Tensor& prompt) {
  return detail::start_target<Target>(*this, source, source_lengths, prompt);
}

Decoded RnnSearch::greedy(const Tensor& source, const Tensor& source_lengths, const GreedyOptions& options) {
  return detail::greedy_of(*this, source, source_lengths, options);
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
// Decoding of a Seq2Seq.
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/nn/decoding/parts.hpp>
#include <gradus/nn/models/parts.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/tensor/detail/lengths.hpp>

namespace gradus {

/// The targets that a Seq2Seq continues.
class Seq2Seq::Target final : public detail::RecurrentTarget {
 public:
  Target(Seq2Seq& model, const Tensor& source, const Tensor& source_lengths, const Tensor& prompt)
      : RecurrentTarget(model, source_lengths), model_(model) {
    begin_after(
        [&] {
          source_ = model.encode(source, source_lengths);
          state_ = source_.start;
        },
        prompt);
  }

 private:
  void reorder(const Tensor& order, bool other_items) override {
    state_ = {.h = index_select(state_.h, 0, order),
              .c = state_.c.defined() ? index_select(state_.c, 0, order) : Variable()};
    if (!other_items) return;
    source_ = rows_of(source_, lengths(), order);
    reorder_lengths(order);
  }

  Prediction step_of(const Tensor& symbols) override {
    const Symbols embedded = model_.embed(model_.target_embedding_, symbols);
    const Look look = model_.attend(state_.h, source_);
    const SequenceOutput next = model_.advance(model_.symbol_input(embedded), look, source_, state_);
    state_ = {.h = next.h, .c = next.c};
    const Variable logits =
        model_.output_logits({.h = next.output, .context = model_.context_of(look, source_)}, embedded);
    return {.logits = logits.value().select(1, 0),
            .attention = look.weights.defined() ? look.weights.value().select(1, 0) : Tensor()};
  }

  Seq2Seq& model_;
  Source source_;
  RecurrentState state_;
};

Seq2Seq::Source Seq2Seq::rows_of(const Source& source, const Tensor& lengths, const Tensor& order) {
  const int64_t batch = source.start.h.size(0);
  const auto chosen = [&](const Variable& x) { return detail::chosen_rows(x, order, batch); };
  Source out = source;
  out.prepared = detail::chosen_rows(source.prepared, lengths, order, batch);
  out.memory_gates = chosen(source.memory_gates);
  out.context = chosen(source.context);
  out.context_gates = chosen(source.context_gates);
  out.start = {.h = chosen(source.start.h), .c = chosen(source.start.c)};
  return out;
}

Owned<Continuation> Seq2Seq::start(const Tensor& source, const Tensor& source_lengths, const Tensor& prompt) {
  return detail::start_target<Target>(*this, source, source_lengths, prompt);
}

Decoded Seq2Seq::greedy(const Tensor& source, const Tensor& source_lengths, const GreedyOptions& options) {
  return detail::greedy_of(*this, source, source_lengths, options);
}

}  // namespace gradus

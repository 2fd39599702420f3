// SPDX-License-Identifier: MIT
// Decoding of a LuongSeq2Seq.
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/nn/decoding/parts.hpp>
#include <gradus/nn/models/luong.hpp>
#include <gradus/nn/models/parts.hpp>

namespace gradus {

/// The targets that a LuongSeq2Seq continues.
class LuongSeq2Seq::Target final : public Continuation {
 public:
  Target(LuongSeq2Seq& model, const Tensor& source, const Tensor& lengths, const Tensor& prompt)
      : model_(model), modules_(model.modules()), lengths_(lengths) {
    const detail::EvaluationScope evaluation(modules_);
    memory_ = model.encode(source, lengths, progress_);
    Prediction first;
    for (int64_t step = 0; step < prompt.size(1); ++step) first = step_of(detail::symbol_column(prompt, step));
    begin(source.size(0), lengths, first);
  }

 private:
  void reorder(const Tensor& order, bool other_items) override {
    const int64_t batch = progress_.attentional.size(0);
    const auto choose = [&](Variable& x) {
      if (x.defined()) x = index_select(x, 0, order);
    };
    for (RecurrentState& layer : progress_.layers) {
      choose(layer.h);
      choose(layer.c);
    }
    choose(progress_.attentional);
    choose(progress_.alignment.last);
    choose(progress_.alignment.total);
    if (!other_items) return;
    memory_ = detail::chosen_rows(memory_, lengths_, order, batch);
    if (lengths_.defined()) lengths_ = index_select(lengths_, 0, order).value();
  }

  Prediction read(const Tensor& symbols) override {
    const NameScope scope(model_.name().c_str());
    const detail::EvaluationScope evaluation(modules_);
    return step_of(symbols);
  }

  Prediction step_of(const Tensor& column) {
    const Symbols symbols = model_.embed(model_.target_embedding_, column);
    const Variable weights =
        model_.step(model_.symbol_input(symbols), memory_, progress_, ReturnWeights::before_dropout);
    const Variable logits = model_.output_(model_.dropout_(progress_.attentional));
    return {.logits = logits.value().select(1, 0), .attention = weights.value().select(1, 0)};
  }

  LuongSeq2Seq& model_;
  std::vector<NamedModule> modules_;
  PreparedMemory memory_;
  Progress progress_;
  Tensor lengths_;  // of the source, for each row
};

Owned<Continuation> LuongSeq2Seq::start(const Tensor& source, const Tensor& source_lengths, const Tensor& prompt) {
  const NameScope scope(name().c_str());
  detail::check_start(source, source_lengths, prompt);
  const NoGrad no_grad;
  return Owned<Continuation>(new Target(*this, source, source_lengths, prompt));
}

Decoded LuongSeq2Seq::greedy(const Tensor& source, const Tensor& source_lengths, const GreedyOptions& options) {
  const NameScope scope(name().c_str());
  detail::check_greedy(options, this->options().target_vocab, source);
  const Owned<Continuation> target = start(source, source_lengths, detail::first_symbols(source, options));
  return decode_greedy(
      *target, {.end = options.end, .max_length = options.max_length, .want_attention = options.want_attention});
}

}  // namespace gradus

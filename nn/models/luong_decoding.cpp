// SPDX-License-Identifier: MIT
// Decoding of a LuongSeq2Seq.
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/nn/decoding/parts.hpp>
#include <gradus/nn/models/luong.hpp>
#include <gradus/nn/models/parts.hpp>

namespace gradus {

/// The targets that a LuongSeq2Seq continues.
class LuongSeq2Seq::Target final : public detail::RecurrentTarget {
 public:
  Target(LuongSeq2Seq& model, const Tensor& source, const Tensor& lengths, const Tensor& prompt)
      : RecurrentTarget(model, lengths), model_(model) {
    begin_after([&] { memory_ = model.encode(source, lengths, progress_); }, prompt);
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
    memory_ = detail::chosen_rows(memory_, lengths(), order, batch);
    reorder_lengths(order);
  }

  Prediction step_of(const Tensor& column) override {
    const Symbols symbols = model_.embed(model_.target_embedding_, column);
    const Variable weights =
        model_.step(model_.symbol_input(symbols), memory_, progress_, ReturnWeights::before_dropout);
    const Variable logits = model_.output_(model_.dropout_(progress_.attentional));
    return {.logits = logits.value().select(1, 0), .attention = weights.value().select(1, 0)};
  }

  LuongSeq2Seq& model_;
  PreparedMemory memory_;
  Progress progress_;
};

Owned<Continuation> LuongSeq2Seq::start(const Tensor& source, const Tensor& source_lengths, const Tensor& prompt) {
  return detail::start_target<Target>(*this, source, source_lengths, prompt);
}

Decoded LuongSeq2Seq::greedy(const Tensor& source, const Tensor& source_lengths, const GreedyOptions& options) {
  return detail::greedy_of(*this, source, source_lengths, options);
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
// Decoding of transformers: the keys and values of the past are kept, so that each symbol is read once.
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/decoding/parts.hpp>
#include <gradus/nn/models/parts.hpp>
#include <gradus/nn/models/transformer.hpp>

namespace gradus {
namespace {

void check_prompt(const Tensor& prompt, int64_t rows) {
  GRADUS_CHECK(prompt.defined() && prompt.rank() == 2 && prompt.dtype() == DType::i64 &&
                   (rows < 0 || prompt.size(0) == rows) && prompt.size(1) >= 1,
               "[start] expected a prompt i64 [", rows < 0 ? std::string("B") : std::to_string(rows),
               ", P] with P >= 1, got ", describe(prompt));
}

// decoded [R, T, E] at its last step, [R, 1, E].
Variable last_step(const Variable& decoded) { return slice(decoded, 1, decoded.size(1) - 1); }

}  // namespace

/// The targets that a TransformerSeq2Seq continues.
class TransformerSeq2Seq::Target final : public Continuation {
 public:
  Target(TransformerSeq2Seq& model, const Tensor& source, const Tensor& lengths, const Tensor& prompt,
         const StartOptions& options)
      : model_(model), modules_(model.modules()) {
    const detail::EvaluationScope evaluation(modules_);
    const Mask mask = lengths.defined() ? Mask::from_lengths(lengths) : Mask::none();
    const Variable memory = model.transformer_.encoder()(model.embed_source("start", source, lengths), mask);
    past_ = model.transformer_.decoder().prepare(memory, mask);
    past_.want_weights = options.want_attention;
    begin(source.size(0), lengths, continued(prompt));
  }

 private:
  void reorder(const Tensor& order, bool other_items) override {
    for (KeyValueCache& layer : past_.layers) layer = layer.rows(order);
    if (!other_items) return;
    for (PreparedHeads& layer : past_.memory) layer = layer.rows(order);
  }

  Prediction read(const Tensor& symbols) override {
    const NameScope scope(model_.name().c_str());
    const detail::EvaluationScope evaluation(modules_);
    return continued(symbols);
  }

  Prediction continued(const Tensor& symbols) {
    const Variable x = model_.target_input_(symbols, past_.length());
    const Variable decoded = model_.transformer_.decoder()(x, past_);
    const Tensor logits = model_.logits_of(last_step(decoded)).value().select(1, 0);
    if (!past_.want_weights) return {.logits = logits, .attention = {}};
    return {.logits = logits, .attention = mean(select(past_.weights, 2, -1), 1).value()};
  }

  TransformerSeq2Seq& model_;
  std::vector<NamedModule> modules_;
  TransformerCache past_;
};

Owned<Continuation> TransformerSeq2Seq::start(const Tensor& source, const Tensor& source_lengths, const Tensor& prompt,
                                              const StartOptions& options) {
  const NameScope scope(name().c_str());
  check_prompt(prompt, source.defined() && source.rank() == 2 ? source.size(0) : 0);
  const NoGrad no_grad;
  return Owned<Continuation>(new Target(*this, source, source_lengths, prompt, options));
}

Decoded TransformerSeq2Seq::greedy(const Tensor& source, const Tensor& source_lengths, const GreedyOptions& options) {
  return detail::greedy_of(*this, source, source_lengths, options,
                           StartOptions{.want_attention = options.want_attention});
}

/// The texts that a TransformerLm continues.
class TransformerLm::Text final : public Continuation {
 public:
  Text(TransformerLm& model, const Tensor& prompt) : model_(model), modules_(model.modules()) {
    const detail::EvaluationScope evaluation(modules_);
    begin(prompt.size(0), {}, continued(prompt));
  }

 private:
  void reorder(const Tensor& order, bool) override { past_ = past_.rows(order); }

  Prediction read(const Tensor& symbols) override {
    const NameScope scope(model_.name().c_str());
    const detail::EvaluationScope evaluation(modules_);
    return continued(symbols);
  }

  Prediction continued(const Tensor& symbols) {
    const Variable decoded = model_.decoder_(model_.input_(symbols, past_.length()), past_);
    return {.logits = model_.logits_of(last_step(decoded)).value().select(1, 0), .attention = {}};
  }

  TransformerLm& model_;
  std::vector<NamedModule> modules_;
  TransformerCache past_;
};

Owned<Continuation> TransformerLm::start(const Tensor& prompt) {
  const NameScope scope(name().c_str());
  check_prompt(prompt, -1);
  const NoGrad no_grad;
  return Owned<Continuation>(new Text(*this, prompt));
}

}  // namespace gradus

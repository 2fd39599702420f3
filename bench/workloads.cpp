// SPDX-License-Identifier: MIT
#include "workloads.hpp"

#include <algorithm>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>

namespace gradus::bench {

OpChain::OpChain(uint64_t seed, const Shape& shape) {
  Generator generator(seed);
  x = uniform(shape, generator, {.low = -1.0, .high = 1.0});
  w = uniform(shape, generator, {.low = -1.1, .high = -0.9});
  cotangent = uniform(shape, generator, {.low = -1.0, .high = 1.0});
}

Variable OpChain::run(const Variable& x, const Variable& w) {
  Variable y = x;
  for (int i = 0; i < kOps; ++i) y = i % 3 == 0 ? add(y, w) : i % 3 == 1 ? mul(y, w) : tanh(y);
  return y;
}

Seq2SeqOptions TrainingWorkload::model_options() {
  return {.source_vocab = kVocabulary,
          .target_vocab = kVocabulary,
          .embedding_size = 32,
          .hidden_size = 64,
          .cell = CellKind::gru,
          .attention = AttentionKind::additive};
}

std::vector<SequenceBatch> TrainingWorkload::batches(int count, Generator& generator) {
  std::vector<SequenceBatch> result;
  for (int i = 0; i < count; ++i) {
    const Tensor source = randint({kBatch, kLength}, generator, {.low = 1, .high = kVocabulary});
    Tensor target_in = zeros({kBatch, kLength}, {.dtype = DType::i64});
    Tensor target_out = Tensor::empty({kBatch, kLength}, DType::i64);
    for (int64_t t = 0; t < kLength; ++t) {
      const Tensor symbol = source.select(1, kLength - 1 - t);
      target_out.select(1, t).copy_(symbol);
      if (t + 1 < kLength) target_in.select(1, t + 1).copy_(symbol);
    }
    result.push_back({.source = source,
                      .source_lengths = full({kBatch}, static_cast<double>(kLength), {.dtype = DType::i64}),
                      .target_in = target_in,
                      .target_out = target_out,
                      .tokens = kTokens});
  }
  return result;
}

Variable TrainingWorkload::loss(Seq2Seq& model, const SequenceBatch& batch) {
  const Variable logits = model(batch.source, batch.source_lengths, batch.target_in);
  return cross_entropy(logits, batch.target_out, {.ignore_index = kIgnoredTarget});
}

TrainingSteps::TrainingSteps(Seq2Seq& model)
    : model_(model), parameters_(model.parameters()), optimizer_(parameters_) {}

double TrainingSteps::step(const SequenceBatch& batch) {
  constexpr double kRate = 4e-3, kWarmup = 100.0;
  optimizer_.set_learning_rate(kRate * std::min(1.0, static_cast<double>(++steps_) / kWarmup));
  const Variable loss = TrainingWorkload::loss(model_, batch);
  optimizer_.zero_grad();
  backward(loss);
  clip_grad_norm_(parameters_, 1.0);
  optimizer_.step();
  return static_cast<double>(loss.item<float>());
}

}  // namespace gradus::bench

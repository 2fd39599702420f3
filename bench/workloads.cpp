// SPDX-License-Identifier: MIT
#include "workloads.hpp"

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

examples::TrainerOptions TrainingWorkload::trainer_options() {
  // Enough steps that the rate stays at its peak after the warm-up.
  return {.steps = 1'000'000'000, .learning_rate = 4e-3, .largest_gradient = 1.0};
}

std::vector<examples::Batch> TrainingWorkload::batches(int count, Generator& generator) {
  std::vector<examples::Batch> result;
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
                      .lengths = full({kBatch}, static_cast<double>(kLength), {.dtype = DType::i64}),
                      .target_in = target_in,
                      .target_out = target_out,
                      .tokens = kTokens});
  }
  return result;
}

Variable TrainingWorkload::loss(Seq2Seq& model, const examples::Batch& batch) {
  const Variable logits = model(batch.source, batch.lengths, batch.target_in);
  return cross_entropy(logits, batch.target_out, {.ignore_index = examples::kIgnored});
}

}  // namespace gradus::bench

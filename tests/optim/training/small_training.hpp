// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <gradus/autograd/ops.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/optim/data/batches.hpp>
#include <gradus/optim/training/trainer.hpp>

namespace gradus::tests {

struct CountingModelOptions {
  int64_t symbols = 5;
};

/// Reads a sequence with a GRU and says how often its first symbol occurs, with dropout.
class CountingModel : public Layer<CountingModel, CountingModelOptions> {
 public:
  CountingModel(const CountingModelOptions& options, const Place& place)
      : Layer(options, place),
        embedding_({.num_embeddings = options.symbols, .embedding_size = 4}, child("embedding")),
        gru_({.input_size = 4, .hidden_size = 6}, child("gru")),
        dropout_({.p = 0.2}, child("dropout")),
        output_({.input_size = 6, .output_size = 1}, child("output")) {}

  Variable forward(const PaddedSequences& x) {
    const RecurrentOutput out = gru_(embedding_(x.symbols), {.lengths = x.lengths});
    return reshape(output_(dropout_(out.h)), {-1});
  }

 private:
  Embedding embedding_;
  Gru gru_;
  Dropout dropout_;
  Linear output_;
};

/// A batch of sequences with the right answers.
struct CountingBatch {
  PaddedSequences x;
  Tensor counts;
  int64_t tokens = 0;
};

/// Batches of sequences of random lengths, in the order of a BatchOrder.
class CountingBatches {
 public:
  explicit CountingBatches(uint64_t seed) : order_(made(sequences_, seed), {.batch_size = 8, .seed = seed}) {}

  CountingBatch next() {
    std::vector<Sequence> rows;
    CountingBatch out;
    std::vector<float> counts;
    for (const int64_t item : order_.next()) {
      rows.push_back(sequences_[static_cast<size_t>(item)]);
      float count = 0.0F;
      for (const int64_t symbol : rows.back()) count += symbol == rows.back().front() ? 0.5F : 0.0F;
      counts.push_back(count);
      out.tokens += static_cast<int64_t>(rows.back().size());
    }
    out.x = pad_sequences(rows, 0);
    out.counts = Tensor::from(std::span<const float>(counts), {static_cast<int64_t>(counts.size())});
    return out;
  }
  BatchOrder& order() { return order_; }

 private:
  static std::vector<int64_t> made(std::vector<Sequence>& sequences, uint64_t seed) {
    Generator generator(seed);
    std::vector<int64_t> lengths;
    for (int i = 0; i < 60; ++i) {
      lengths.push_back(1 + i % 9);
      const Tensor symbols = randint({lengths.back()}, generator, {.high = 5});
      sequences.emplace_back(symbols.data<int64_t>(), symbols.data<int64_t>() + lengths.back());
    }
    return lengths;
  }

  std::vector<Sequence> sequences_;
  BatchOrder order_;
};

/// A whole training of a small model: everything that it depends on is in the checkpoint.
struct SmallTraining {
  explicit SmallTraining(TrainerOptions options, uint64_t seed = 3)
      : generator(seed),
        model({}, generator),
        batches(seed),
        optimizer(model.parameters(), {.learning_rate = 1e-2}),
        trainer(optimizer, model.parameters(), options) {
    trainer.checkpoint().add("model", model);
    trainer.checkpoint().add("order", batches.order());
  }

  Variable loss(const CountingBatch& batch) { return mean(square(model(batch.x) - batch.counts)); }
  double evaluate() {
    model.eval_();
    CountingBatches fresh(99);
    const auto value = static_cast<double>(loss(fresh.next()).value().item<float>());
    model.train_();
    return value;
  }
  const TrainingStatus& run() {
    return trainer.run(
        batches, [&](const CountingBatch& batch) { return loss(batch); }, [&] { return evaluate(); });
  }

  Generator generator;
  CountingModel model;
  CountingBatches batches;
  Adam optimizer;
  Trainer trainer;
};

}  // namespace gradus::tests

// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/examples/long_memory/tasks.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/optim/training/trainer.hpp>

namespace gradus::examples::long_memory {

struct LongMemoryOptions {
  TaskKind task = TaskKind::adding;
  CellKind cell = CellKind::lstm;
  int64_t hidden_size = 0;
};

/// One recurrent layer and a linear one, which reads the last state (adding) or the state after each step (copying).
/// The forget gates of an LSTM start nearly open (bias 1: Jozefowicz et al. 2015).
class LongMemoryModel : public Layer<LongMemoryModel, LongMemoryOptions> {
 public:
  LongMemoryModel(const LongMemoryOptions& options, const Place& place);

  /// The input of a LongBatch -> [B, 1], or logits [B, T + 20, 9].
  Variable forward(const Tensor& input);

 private:
  Recurrent recurrent_;
  Linear output_;
  Tensor one_hot_;
};

struct LearnerOptions {
  LongMemoryOptions model;
  int64_t length = 0;
  int64_t steps = 0;  ///< at most; the learning rate falls over them
  int64_t batch = 32;
  double learning_rate = 0.02;  ///< Adam's, at its peak
};

/// Trains a model on sequences that are drawn anew for each step. Model and sequences have random streams of their own,
/// so that all cells see the same sequences.
class LongMemoryLearner {
 public:
  LongMemoryLearner(const LearnerOptions& options, uint64_t seed);

  /// Trains with Adam, with gradients clipped to norm 1, until nearly all answers to new sequences are right.
  TrainingStatus train(TrainingObserver& observer);

  struct Scores {
    double loss = 0;
    double accuracy = 0;
  };
  /// Over `count` new sequences from a stream of their own, rounded up to whole batches.
  Scores score(int64_t count);

 private:
  LearnerOptions options_;
  Generator drawn_{0};
  Generator scored_{0};
  Owned<LongMemoryModel> model_;
};

}  // namespace gradus::examples::long_memory

// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/autograd/variable.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/optim/data/batches.hpp>
#include <gradus/optim/optimizer.hpp>

// The timed workloads, here and for other libraries (scripts/peers).

namespace gradus::bench {

/// Measures the overhead of an op: 100 ops on 16 numbers, in turn y + w, y * w and tanh(y), starting from y = x. With w
/// near -1 neither values nor derivatives vanish.
struct OpChain {
  static constexpr int kOps = 100;
  Tensor x;          ///< f32, of `shape`
  Tensor w;          ///< the same
  Tensor cotangent;  ///< the same; the derivative is that of sum(y * cotangent)

  explicit OpChain(uint64_t seed, const Shape& shape = {16});
  static Variable run(const Variable& x, const Variable& w);
};

/// A training step of the example's model: bidirectional GRU, additive attention, GRU decoder, cross-entropy, clipping
/// and Adam, learning to reverse random sequences.
struct TrainingWorkload {
  static constexpr int64_t kVocabulary = 20;
  static constexpr int64_t kLength = 20;
  static constexpr int64_t kBatch = 32;
  static constexpr int64_t kTokens = kBatch * kLength;

  static Seq2SeqOptions model_options();
  /// Sources of the symbols 1 to kVocabulary - 1, all of length kLength. Each target begins with the symbol 0.
  static std::vector<SequenceBatch> batches(int count, Generator& generator);
  static Variable loss(Seq2Seq& model, const SequenceBatch& batch);
};

/// Takes the steps of that training. The rate rises over the first 100 and then stays.
class TrainingSteps {
 public:
  /// `model` must outlive it.
  explicit TrainingSteps(Seq2Seq& model);
  /// Returns the loss before the step.
  double step(const SequenceBatch& batch);

 private:
  Seq2Seq& model_;
  std::vector<NamedParameter> parameters_;
  Adam optimizer_;
  int64_t steps_ = 0;
};

}  // namespace gradus::bench

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include <gradus/examples/copy_reverse/data/batches.hpp>
#include <gradus/examples/copy_reverse/model/any_model.hpp>
#include <gradus/optim/optimizer.hpp>

namespace gradus::examples {

struct TrainerOptions {
  int64_t steps = 0;              ///< the number of steps; the learning rate falls to 0 over them
  double learning_rate = 4e-3;    ///< the peak, reached after a warm-up of 100 steps (or a tenth of fewer than 1,000)
  double beta2 = 0.999;           ///< Adam's
  double largest_gradient = 1.0;  ///< norm over all parameters; larger gradients are scaled down to it
};

/// Trains a model batch by batch, with teacher forcing, the mean cross-entropy over the tokens, clipped gradients,
/// Adam, a linear warm-up and half a cosine down to 0.
class Trainer {
 public:
  /// `model` must outlive it.
  Trainer(const ModelView& model, const TrainerOptions& options);

  /// Runs one step and returns the loss of the batch before it. Throws Error and names the parameter when a gradient is
  /// not finite.
  double step(const Batch& batch);
  int64_t steps_done() const noexcept { return steps_done_; }

 private:
  ModelView model_;
  TrainerOptions options_;
  std::vector<NamedParameter> parameters_;
  Adam optimizer_;
  int64_t steps_done_ = 0;
};

}  // namespace gradus::examples

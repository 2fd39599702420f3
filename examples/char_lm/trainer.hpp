// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include <gradus/examples/char_lm/data.hpp>
#include <gradus/examples/char_lm/model.hpp>
#include <gradus/optim/optimizer.hpp>

namespace gradus::examples::char_lm {

struct TrainerOptions {
  int64_t batch = 32;
  int64_t unroll = 64;
  double learning_rate = 4e-3;  ///< the peak
  int64_t warmup = 5;           ///< steps in which the rate rises to it
  double weight_decay = 0.01;
  double clip = 5.0;  ///< norm over all parameters; larger gradients are scaled down to it
};

/// Trains a model by truncated backpropagation through time. The text is cut into `batch` rows that are read side by
/// side, `unroll` symbols a step. A step begins with the state that the last one ended with, as a constant. At the end
/// of the rows it begins again with a state of zeros, from another symbol on.
class Trainer {
 public:
  /// `model` and `text` must outlive it. The generator draws where the passes through the text begin.
  Trainer(CharLm& model, const Text& text, const TrainerOptions& options, Generator generator);

  /// Runs one step and returns the loss before it, in nats a symbol. `progress` in [0, 1] says how much of the training
  /// is over: the learning rate falls with it as half a cosine. Throws Error and names the parameter when a gradient is
  /// not finite.
  double step(double progress);
  int64_t steps_done() const noexcept { return steps_done_; }
  /// The rows of the present pass.
  const Rows& rows() const noexcept { return rows_; }

 private:
  void begin_pass();

  CharLm& model_;
  const Text& text_;
  TrainerOptions options_;
  Generator generator_;
  std::vector<NamedParameter> parameters_;
  AdamW optimizer_;
  RecurrentState state_;
  Rows rows_;
  int64_t at_ = 0;  // in the rows
  int64_t steps_done_ = 0;
};

struct ValidationOptions {
  int64_t batch = 32;
  int64_t unroll = 64;
  int64_t most = INT64_MAX;  ///< only the first so many symbols of the validation part
};

/// The mean loss over the validation part in nats a symbol, in evaluation mode. The part is cut into rows; the model
/// reads the `unroll` symbols before each row first, so that it does not begin without a context. A few symbols at the
/// end, fewer than there are rows, are left out.
double validation_loss(CharLm& model, const Text& text, const ValidationOptions& options);

}  // namespace gradus::examples::char_lm

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <gradus/examples/classify/data.hpp>
#include <gradus/examples/classify/model.hpp>
#include <gradus/examples/common/random_numbers.hpp>
#include <gradus/optim/optimizer.hpp>

namespace gradus::examples::classify {

struct TrainerOptions {
  int64_t steps = 0;  ///< in all
  int64_t batch = 32;
  double learning_rate = 4e-3;  ///< the peak, after a tenth of the steps; it falls to 0 as half a cosine
  double weight_decay = 0.01;
};

/// Trains a model on batches of lines, in a new random order each time round, with AdamW and gradients clipped to norm
/// 1.
class Trainer {
 public:
  /// `model` and `examples` must outlive it.
  Trainer(Classifier& model, const std::vector<Example>& examples, const TrainerOptions& options, Generator generator);

  /// Runs one step and returns the loss before it. Throws Error and names the parameter when a gradient is not finite.
  double step();

 private:
  Classifier& model_;
  TrainerOptions options_;
  RandomNumbers numbers_;
  std::vector<const Example*> order_;
  size_t used_;
  std::vector<NamedParameter> parameters_;
  AdamW optimizer_;
  int64_t steps_done_ = 0;
};

/// The number of the most likely label of each example, in evaluation mode.
std::vector<int64_t> answers(Classifier& model, std::span<const Example> examples);

/// The share of right answers.
double accuracy_of(std::span<const Example> examples, const std::vector<int64_t>& given);

/// What the model makes of one text, in evaluation mode.
struct Reading {
  int64_t label = 0;
  double probability = 0;
  Tensor weights;  ///< [T]: how much each symbol was attended to; undefined without attention
};

Reading reading_of(Classifier& model, const Example& example);

}  // namespace gradus::examples::classify

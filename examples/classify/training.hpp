// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include <gradus/examples/classify/config.hpp>
#include <gradus/examples/classify/data.hpp>
#include <gradus/optim/training/trainer.hpp>

namespace gradus::examples::classify {

/// Trains on batches of lines of similar length, in a new order each time round, with AdamW and gradients clipped to
/// norm 1. The rate rises over a tenth of the steps and then falls to 0. On the way, the progress shows the accuracy on
/// some of the scored lines.
TrainingStatus train(Classifier& model, const Split& examples, const Config& config, uint64_t seed,
                     TrainingProgress& progress);

/// The number of the most likely label of each text, in evaluation mode.
std::vector<int64_t> answers(Classifier& model, const Examples& examples);

/// The share of right answers.
double accuracy_of(const Examples& examples, const std::vector<int64_t>& given);

/// What the model makes of one text, in evaluation mode.
struct Reading {
  int64_t label = 0;
  double probability = 0;
  Tensor weights;  ///< [T]: how much each symbol was attended to; undefined without attention
};

Reading reading_of(Classifier& model, const Sequence& text);

}  // namespace gradus::examples::classify

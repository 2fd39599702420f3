// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <gradus/examples/char_lm/config.hpp>
#include <gradus/optim/data/text_rows.hpp>
#include <gradus/optim/training/trainer.hpp>

namespace gradus::examples::char_lm {

/// The first nine tenths of the text. Throws BadInput when they are too short for one step.
TextRows training_rows(const Config& config, const Vocabulary& symbols);
/// The last tenth. Throws BadInput when it is too short.
TextRows validation_rows(const Config& config, const Vocabulary& symbols);

/// The mean loss of a window in nats a symbol. The state is carried on from the last window, as a constant; where the
/// rows begin, it is one of zeros.
Variable loss_of(CharLm& model, const TextWindow& window, CarriedState& carried);

struct Validation {
  double loss = 0;      ///< mean, in nats a symbol
  int64_t symbols = 0;  ///< how many were foretold
};

/// Reads rows from their begin to their end, or until `most` symbols are foretold, in evaluation mode. The first window
/// of each row is only its context, unless there is no other.
Validation validate(CharLm& model, TextRows& rows, int64_t most = INT64_MAX);

/// Trains the model by truncated backpropagation through time. On the way, the progress shows the loss over a part of
/// the last tenth. Goes on where the training in config.checkpoints was interrupted. Throws BadInput when that had
/// other options.
TrainingStatus train(CharLm& model, const Vocabulary& symbols, const Config& config, TrainingProgress& progress);

}  // namespace gradus::examples::char_lm

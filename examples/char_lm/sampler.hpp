// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <gradus/examples/char_lm/model.hpp>
#include <gradus/optim/data/vocabulary.hpp>

namespace gradus::examples::char_lm {

struct SampleOptions {
  int64_t count = 400;       ///< symbols to draw
  double temperature = 1.0;  ///< > 0: logits are divided by it
};

/// Text that the model writes after the numbers of at least one symbol: each symbol is drawn from the model's
/// distribution by one number of `generator`. Evaluation mode.
std::string sample(CharLm& model, const Vocabulary& symbols, std::vector<int64_t> prompt, const SampleOptions& options,
                   Generator& generator);

}  // namespace gradus::examples::char_lm

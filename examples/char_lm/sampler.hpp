// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/examples/char_lm/data.hpp>
#include <gradus/examples/char_lm/model.hpp>

namespace gradus::examples::char_lm {

struct SampleOptions {
  int64_t count = 400;       ///< symbols to draw
  double temperature = 1.0;  ///< > 0: logits are divided by it
};

/// Text that the model writes after `prompt`, which must have at least one symbol and only known ones: each symbol is
/// drawn from the model's distribution by one number of `generator`. Evaluation mode.
std::u32string sample(CharLm& model, const Symbols& symbols, const std::u32string& prompt, const SampleOptions& options,
                      Generator& generator);

}  // namespace gradus::examples::char_lm

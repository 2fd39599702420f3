// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>

#include <gradus/examples/common/program.hpp>
#include <gradus/examples/transduce/model_file.hpp>

namespace gradus::examples::transduce {

/// What a training needs besides the model.
struct Lessons {
  std::vector<TextPair> training;
  std::vector<TextPair> dev;  ///< may be empty
};

/// Trains the model as `config` says and leaves the weights in it that were best on the dev pairs by greedy decoding,
/// or the last ones without dev pairs. Writes checkpoints into config.out, and goes on with the last one there if
/// config.resume. Throws BadInput when that is none of this training.
void learn(const Config& config, Learner& learner, const Lessons& lessons, std::ostream& out, const RunOptions& options,
           Metrics& metrics);

}  // namespace gradus::examples::transduce

// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

#include <gradus/examples/copy_reverse/config.hpp>
#include <gradus/examples/copy_reverse/model_file.hpp>

namespace gradus::examples {

/// The learner's answer to each source by greedy decoding: each symbol follows from the learner's own last symbol, not
/// from the correct one. An answer that does not end is cut somewhere after the end of its target, so it is wrong.
std::vector<Item> answers(const Learner& learner, std::span<const Item> sources);

/// Compares the answers with the targets.
Score score(Task task, std::span<const Item> sources, std::span<const Item> given);

/// The attention weights behind the answer to one source.
struct Attention {
  Item source;
  Item answer;
  /// The weights for each symbol of the answer and for its end mark: [answer + 1, source], or those of a transformer
  /// [layers, heads, answer + 1, source].
  Tensor weights;
};

/// The attention of an item that is worth showing: of about ten symbols, and answered correctly if there is one.
/// Requires at least one source and a model with attention.
Attention attention_to_show(const Learner& learner, std::span<const Item> sources, std::span<const Item> given);

}  // namespace gradus::examples

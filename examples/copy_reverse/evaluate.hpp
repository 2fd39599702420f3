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
  std::vector<double> weights;  ///< [answer + end mark, source], row-major: the weights for each symbol of the answer
  double at(size_t row, size_t column) const { return weights[row * source.size() + column]; }
  size_t rows() const { return source.empty() ? 0 : weights.size() / source.size(); }
};

/// The attention of an item that is worth showing: of about ten symbols, and answered correctly if there is one.
/// Requires at least one source and a model with attention.
Attention attention_to_show(const Learner& learner, std::span<const Item> sources, std::span<const Item> given);

}  // namespace gradus::examples

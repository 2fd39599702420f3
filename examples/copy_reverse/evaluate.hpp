// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

#include <gradus/examples/copy_reverse/config.hpp>
#include <gradus/examples/copy_reverse/model_file.hpp>

namespace gradus::examples {

/// The learner's answer to each source by greedy decoding: each symbol from its own last one, never from the right one.
/// An answer that does not end is cut somewhere behind the end of its target, and so is wrong.
std::vector<Item> answers(const Learner& learner, std::span<const Item> sources);

/// Compares answers with targets.
Score score(Task task, std::span<const Item> sources, std::span<const Item> given);

/// How the answer to one source came about.
struct Attention {
  Item source;
  Item answer;
  std::vector<double> weights;  ///< [answer + end mark, source], row-major: where each symbol of the answer looked
  double at(size_t row, size_t column) const { return weights[row * source.size() + column]; }
  size_t rows() const { return source.empty() ? 0 : weights.size() / source.size(); }
};

/// The attention of a good item to look at: one answered without a fault where there is one, of about ten symbols.
/// Requires at least one source, and a model with attention.
Attention attention_to_show(const Learner& learner, std::span<const Item> sources, std::span<const Item> given);

}  // namespace gradus::examples

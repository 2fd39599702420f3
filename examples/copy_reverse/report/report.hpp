// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <span>
#include <string>

#include <gradus/examples/copy_reverse/config.hpp>
#include <gradus/examples/copy_reverse/data/data_set.hpp>
#include <gradus/examples/copy_reverse/evaluate.hpp>
#include <gradus/examples/copy_reverse/model_file.hpp>
#include <gradus/nn/drawing/attention_map.hpp>

namespace gradus::examples {

/// Prints the plan of the run in a few lines; `data` may be null.
void tell_beginning(std::ostream& out, const Config& config, const Learner& learner, const DataSet* data);

/// Prints "exact match 99.97 % of 3,366 held-out items"; `what` is the last part. `unknown` is the number of items with
/// symbols that the model does not know.
void tell_score(std::ostream& out, const std::string& what, const Score& score, int64_t unknown);

/// Prints some sources with their answers, evenly spread, and the first mistakes.
void tell_answers(std::ostream& out, Task task, std::span<const Item> sources, std::span<const Item> given);

/// The attention as a map: a row for each symbol of the answer, a column for each symbol of the source.
AttentionMap map_of(const Attention& attention);
/// Prints the map with a heading, 80 columns wide.
void tell_attention(std::ostream& out, const Attention& attention, MapColour colour);

/// The results, and what they were measured on, as a JSON object. A result that was not measured is null.
std::string metrics_json(const Config& config, const Learner& learner, const Metrics& metrics);

}  // namespace gradus::examples

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradus/examples/transduce/data.hpp>
#include <gradus/examples/transduce/model.hpp>

namespace gradus::examples::transduce {

/// The model's answer to each source: by beam search, or with one beam by the most probable symbol each time. An answer
/// that does not end is cut after more than twice the symbols of the longest training target.
std::vector<std::string> answers(AnyModel& model, const Known& known, const std::vector<Sequence>& sources,
                                 int64_t beams);

/// How answers compare with targets.
struct Scores {
  int64_t pairs = 0;
  int64_t exact = 0;
  int64_t distance = 0;  ///< summed over the pairs: see edit_distance
  int64_t symbols = 0;   ///< of all targets

  double accuracy() const { return static_cast<double>(exact) / static_cast<double>(pairs); }
  /// Of the answers that are not exact: the word error rate of grapheme-to-phoneme lists.
  double error_rate() const { return 1.0 - accuracy(); }
  /// Wrong symbols for each symbol of a target: the phone error rate there.
  double symbol_error_rate() const {
    return symbols == 0 ? 0.0 : static_cast<double>(distance) / static_cast<double>(symbols);
  }
  double mean_distance() const { return static_cast<double>(distance) / static_cast<double>(pairs); }
};

/// The least number of symbols to insert, remove or replace that makes `a` of `b` (Levenshtein 1966).
int64_t edit_distance(const Sequence& a, const Sequence& b);

/// Requires an answer to each pair. `unit` is that of the targets.
Scores score(const std::vector<TextPair>& pairs, const std::vector<std::string>& given, SymbolUnit unit);

}  // namespace gradus::examples::transduce

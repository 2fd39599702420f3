// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradus/examples/common/random_numbers.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/examples/copy_reverse/data/item.hpp>
#include <gradus/examples/copy_reverse/data/vocabulary.hpp>

namespace gradus::examples {

/// How random sequences are drawn: first a length, uniform on [min_length, max_length], then its symbols, uniform too.
struct RandomItems {
  Vocabulary letters;
  int64_t min_length = 1;
  int64_t max_length = 20;

  /// Writes any one sequence, held out or not, into `item`.
  void draw(RandomNumbers& numbers, Item& item) const;
};

/// What there is to learn from, and what is kept back to be scored (is_held_out decides).
struct DataSet {
  Vocabulary vocabulary;
  std::vector<Item> training;  ///< of a file; empty: `random` gives as many as are wanted
  RandomItems random;
  std::vector<Item> held_out;  ///< distinct
};

/// The lines of a file, each item once. With `known`, the vocabulary of a loaded model, a line with a symbol that is
/// not in it throws BadInput. So does a file whose items all fall to one side.
DataSet data_set_from_lines(const std::string& path, std::vector<Line> lines, const Vocabulary* known);

/// Random sequences, with `held_out` distinct ones kept back, or as many as there are. Throws BadInput when there are
/// so few sequences in all that they fall to one side.
DataSet random_data_set(RandomItems random, int64_t held_out, Generator generator);

/// An endless stream of training items: a file's in a new random order each time round, or freshly drawn ones.
class TrainingItems {
 public:
  /// `data` must outlive it.
  TrainingItems(const DataSet& data, Generator generator);
  Item next();
  RandomNumbers& numbers() { return numbers_; }

 private:
  const DataSet& data_;
  RandomNumbers numbers_;
  std::vector<const Item*> order_;
  size_t used_ = 0;
};

}  // namespace gradus::examples

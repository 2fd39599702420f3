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

/// Random sequences: first the length, uniform on [min_length, max_length], then the symbols, uniform too.
struct RandomItems {
  Vocabulary letters;
  int64_t min_length = 1;
  int64_t max_length = 20;

  /// Writes a random sequence, held out or not, into `item`.
  void draw(RandomNumbers& numbers, Item& item) const;
};

/// The training data and the held-out data for scoring (is_held_out decides).
struct DataSet {
  Vocabulary vocabulary;
  std::vector<Item> training;  ///< for a file; empty when `random` gives any number of items
  RandomItems random;
  std::vector<Item> held_out;  ///< all different
};

/// The lines of a file, each item once. Throws BadInput when all items are held out, or none. With `known`, the
/// vocabulary of a loaded model, a line with an unknown symbol throws BadInput too.
DataSet data_set_from_lines(const std::string& path, std::vector<Line> lines, const Vocabulary* known);

/// Random sequences, with `held_out` different ones held out, or as many as there are. Throws BadInput when there are
/// so few sequences that all or none are held out.
DataSet random_data_set(RandomItems random, int64_t held_out, Generator generator);

/// An endless stream of training items: the items of a file, in a new random order each time round, or newly drawn
/// ones.
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

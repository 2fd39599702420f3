// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <gradus/examples/copy_reverse/data/data_set.hpp>
#include <gradus/optim/data/batches.hpp>

namespace gradus::examples {

/// Items and their targets with the marks of `vocabulary`, the end mark after the end of shorter rows. Every item must
/// have at least one symbol, and the vocabulary must know all symbols. There must be at least one item.
SequenceBatch make_batch(std::span<const Item> items, const Vocabulary& vocabulary, Task task);

/// Makes training batches with little padding by putting items of similar length together. It draws a pool of several
/// batches, sorts it by length, cuts it, and returns the batches in random order.
class TrainingBatches {
 public:
  /// `data` must outlive it.
  TrainingBatches(const DataSet& data, Task task, int64_t batch_size, Generator generator);
  SequenceBatch next();

 private:
  void refill();

  const DataSet& data_;
  Task task_;
  size_t batch_size_;
  TrainingItems items_;
  std::vector<Item> pool_;
  std::vector<size_t> starts_;  // of the remaining batches in the pool
};

}  // namespace gradus::examples

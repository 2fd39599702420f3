// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <gradus/examples/copy_reverse/data/data_set.hpp>
#include <gradus/tensor/tensor.hpp>

namespace gradus::examples {

/// Fills `target_out` after the end of an item. The loss ignores it.
constexpr int64_t kIgnored = -100;

/// Items as the model's input: B rows; the longest item has T symbols.
struct Batch {
  Tensor source;       ///< i64 [B, T]
  Tensor lengths;      ///< i64 [B]
  Tensor target_in;    ///< i64 [B, T + 1]: the begin mark, then the target
  Tensor target_out;   ///< i64 [B, T + 1]: the target, then the end mark, then kIgnored
  int64_t tokens = 0;  ///< number of elements in target_out that are not ignored
};

/// Every item must have at least one symbol, and the vocabulary must know all symbols. There must be at least one item.
Batch make_batch(std::span<const Item> items, const Vocabulary& vocabulary, Task task);

/// Makes training batches with little padding by putting items of similar length together. It draws a pool of several
/// batches, sorts it by length, cuts it, and returns the batches in random order.
class TrainingBatches {
 public:
  /// `data` must outlive it.
  TrainingBatches(const DataSet& data, Task task, int64_t batch_size, Generator generator);
  Batch next();

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

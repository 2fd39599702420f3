// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <gradus/examples/copy_reverse/data/data_set.hpp>
#include <gradus/tensor/tensor.hpp>

namespace gradus::examples {

/// What stands in `target_out` behind an item's end and counts for nothing.
constexpr int64_t kIgnored = -100;

/// Items as the model wants them; B rows, the longest item has T symbols.
struct Batch {
  Tensor source;       ///< i64 [B, T]
  Tensor lengths;      ///< i64 [B]
  Tensor target_in;    ///< i64 [B, T + 1]: the begin mark, then the target
  Tensor target_out;   ///< i64 [B, T + 1]: the target, then the end mark, then kIgnored
  int64_t tokens = 0;  ///< elements of target_out that count
};

/// Requires items, each of them of one symbol or more, all known to the vocabulary.
Batch make_batch(std::span<const Item> items, const Vocabulary& vocabulary, Task task);

/// Training batches. So that little is padding, items of similar length go together: a pool of several batches' worth
/// is drawn, sorted by length and cut, and the batches are handed out in random order.
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
  std::vector<size_t> starts_;  // of the batches in the pool that are still to come
};

}  // namespace gradus::examples

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <gradus/tensor/memory/allocator.hpp>

namespace gradus::kernels {

/// How a recurrent kernel cuts a batch into chunks. The rows are sorted by falling length (equal ones keep their
/// order), and the chunks depend only on the sizes. So in each chunk the rows that are still running at a step come
/// first.
class SequencePlan {
 public:
  /// `row_work`: the multiply-adds of one row over the whole sequence; `hidden` gives the size of the weights.
  SequencePlan(int64_t batch, int64_t time, int64_t hidden, const int64_t* lengths, int64_t row_work);

  struct Chunk {
    const int64_t* rows;     ///< the row numbers in the batch
    const int64_t* lengths;  ///< of these rows, falling
    int64_t count;
    int64_t first_cell;  ///< the number of valid cells (row, step) in the chunks before this one
    int64_t cells;       ///< the number of valid cells in this chunk
  };

  int64_t chunks() const { return chunks_; }
  Chunk chunk(int64_t i) const;
  int64_t chunk_rows() const { return chunk_rows_; }
  int64_t cells() const { return cells_before(batch_); }
  /// The grain for parallel_for over the chunks.
  int64_t grain() const { return grain_; }

 private:
  int64_t cells_before(int64_t row) const { return cells_before_[row]; }

  int64_t batch_;
  int64_t chunk_rows_;
  int64_t chunks_;
  int64_t grain_;
  detail::Scratch scratch_;
  int64_t* rows_;
  int64_t* lengths_;
  int64_t* cells_before_;
};

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <gradus/tensor/memory/allocator.hpp>

namespace gradus::kernels {

/// How a recurrent kernel cuts a batch: the rows sorted by falling length (equal ones keep their order), in chunks that
/// depend on the sizes alone. Within a chunk the rows still running at a step are therefore the first ones.
class SequencePlan {
 public:
  /// `row_work`: the multiply-adds of one row over the whole sequence; `hidden` says how large the weights are.
  SequencePlan(int64_t batch, int64_t time, int64_t hidden, const int64_t* lengths, int64_t row_work);

  struct Chunk {
    const int64_t* rows;     ///< which rows of the batch
    const int64_t* lengths;  ///< of these rows, falling
    int64_t count;
    int64_t first_cell;  ///< the valid cells (row, step) of the chunks before this one
    int64_t cells;       ///< the valid cells of this one
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

// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/sequence/sequence_plan.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/common/ceil_div.hpp>

namespace gradus::kernels {
namespace {

// The multiply-adds that take about 20 us.
constexpr int64_t kSequenceTaskWork = int64_t{1} << 20;

// Chunks of at most 16 rows, so that common batch sizes give two chunks for two threads. At most 32 rows when the
// weights do not fit the second-level cache, because each chunk then reads them from the third-level cache at every
// step; but two chunks from 32 rows on. Even numbers suit the tiles.
int64_t rows_of_a_chunk(int64_t batch, int64_t hidden) {
  const int64_t most = hidden < 256 ? 16 : 32;
  const int64_t chunks = std::max<int64_t>(batch < 32 ? 1 : 2, ceil_div(batch, most));
  return std::max<int64_t>(1, ceil_div(ceil_div(batch, chunks), 2) * 2);
}

}  // namespace

SequencePlan::SequencePlan(int64_t batch, int64_t time, int64_t hidden, const int64_t* lengths, int64_t row_work)
    : batch_(batch),
      chunk_rows_(rows_of_a_chunk(batch, hidden)),
      chunks_(ceil_div(batch, chunk_rows_)),
      grain_(ceil_div(kSequenceTaskWork, std::max<int64_t>(1, chunk_rows_ * row_work))),
      scratch_(static_cast<size_t>(3 * batch + 1) * sizeof(int64_t)),
      rows_(scratch_.as<int64_t>()),
      lengths_(rows_ + batch),
      cells_before_(lengths_ + batch) {
  for (int64_t i = 0; i < batch; ++i) rows_[i] = i;
  if (lengths != nullptr) {
    std::sort(rows_, rows_ + batch,
              [lengths](int64_t a, int64_t b) { return lengths[a] != lengths[b] ? lengths[a] > lengths[b] : a < b; });
  }
  cells_before_[0] = 0;
  for (int64_t i = 0; i < batch; ++i) {
    lengths_[i] = lengths == nullptr ? time : lengths[rows_[i]];
    cells_before_[i + 1] = cells_before_[i] + lengths_[i];
  }
}

SequencePlan::Chunk SequencePlan::chunk(int64_t i) const {
  const int64_t begin = i * chunk_rows_, end = std::min(batch_, begin + chunk_rows_);
  return {rows_ + begin, lengths_ + begin, end - begin, cells_before(begin), cells_before(end) - cells_before(begin)};
}

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <gradus/tensor/kernels/attention/attention.hpp>
#include <gradus/tensor/kernels/random/random.hpp>

// What the forward and the backward pass over tiles of scores share: which keys a query may use, and what is packed.

namespace gradus::kernels {

inline constexpr int64_t kTaskWork = int64_t{1} << 19;  ///< multiply-adds worth about 20 us

/// From `first` to `last`, which is not included.
struct Range {
  int64_t first = 0;
  int64_t last = 0;
};

/// The keys of query i of item b. Keys outside are blocked; inside, only `keep` blocks.
template <class T>
Range keys_of(const Attention<T>& in, int64_t b, int64_t i) {
  if (in.ranges == nullptr) return {0, in.keys};
  const int64_t* range = in.ranges + b * in.range_batch + i * in.range_query;
  return {range[0], range[1]};
}

/// Row i of head h of item b, when the heads of x are placed by `at`.
template <class T>
T* row_at(T* x, const HeadStrides& at, int64_t b, int64_t h, int64_t i) {
  return x + b * at.batch + h * at.head + i * at.row;
}

/// The row of a bias or a mask that belongs to query i, or null.
template <class T>
const T* score_row_at(const T* x, const ScoreStrides& at, int64_t b, int64_t h, int64_t i) {
  return x == nullptr ? nullptr : x + b * at.batch + h * at.head + i * at.query;
}

/// The rows of a tile of queries from the first to the last one that may use some of the keys [key, key + n). Relative
/// to the first query of the tile.
template <class T>
Range rows_using(const Attention<T>& in, int64_t b, int64_t first_query, int64_t rows, int64_t key, int64_t n) {
  const auto uses = [&](int64_t row) {
    const Range keys = keys_of(in, b, first_query + row);
    return keys.first < key + n && keys.last > key && keys.first < keys.last;
  };
  Range used{0, rows};
  while (used.first < used.last && !uses(used.first)) ++used.first;
  while (used.last > used.first && !uses(used.last - 1)) --used.last;
  return used;
}

/// The keys that some query of [first_query, first_query + rows) may use, rounded to whole tiles at the beginning.
template <class T>
Range keys_of_rows(const Attention<T>& in, int64_t b, int64_t first_query, int64_t rows) {
  Range all{in.keys, 0};
  for (int64_t i = first_query; i < first_query + rows; ++i) {
    const Range keys = keys_of(in, b, i);
    if (keys.first >= keys.last) continue;
    all = {std::min(all.first, keys.first), std::max(all.last, keys.last)};
  }
  return {all.first / kTileKeys * kTileKeys, all.last};
}

inline constexpr int64_t kBlockQueries = 256;  ///< use a packed tile of keys before the next one is packed

/// A block of queries of one head, and the memory that its tiles need. With `weights`, the block is the whole head.
template <class T>
struct AttentionForwardBlock {
  int64_t b = 0;
  int64_t h = 0;
  int64_t first_query = 0;
  int64_t rows = 0;
  T* y = nullptr;        // [rows, Dv]
  T* lse = nullptr;      // [rows]
  T* weights = nullptr;  // a, transposed [Tk, Tq]; null when the head takes several tiles
  T* scores = nullptr;   // [kTileQueries, kTileKeys]
  T* largest = nullptr;  // m [rows]
  T* sum = nullptr;      // l [rows]
  // For one tile: what is added to the scores [Tk, Tq rounded up to whole vectors], and the range of each query.
  T* extra = nullptr;
  T* first = nullptr;
  T* last = nullptr;
  T* packed_k = nullptr;  // K^T of a tile
  T* packed_v = nullptr;
};

/// What is known of a tile of queries.
struct AttentionQueryTile {
  bool q_finite = false;
  bool g_finite = false;
  bool dq_written = false;
};

/// One query head of one item: what the forward pass gave, where its derivatives go, and the memory of its tiles.
template <class T>
struct AttentionBackwardHead {
  int64_t b = 0;
  int64_t h = 0;
  const T* y = nullptr;        // [Tq, Dv]
  const T* lse = nullptr;      // [Tq]
  const T* weights = nullptr;  // a, transposed [Tk, Tq]; null when the head takes several tiles
  const T* g = nullptr;        // [Tq, Dv]
  T* dq = nullptr;             // [Tq, D], overwritten
  T* dk = nullptr;             // [Tk, D], overwritten, or added to when `adds`
  T* dv = nullptr;             // [Tk, Dv], the same
  bool adds = false;           // an earlier head has the same keys
  T* dbias = nullptr;          // item b and head h of the derivative by the bias, added to
  ScoreStrides dbias_at;
  T* dsink = nullptr;             // one number, overwritten
  T* delta = nullptr;             // [Tq]
  T* scores = nullptr;            // three tiles [kTileQueries, kTileKeys]: z, then ds; a; da
  T* packed_k_columns = nullptr;  // K^T
  T* packed_v_columns = nullptr;  // V^T
  T* packed_k = nullptr;
  T* packed_q = nullptr;
  T* packed_g = nullptr;
  AttentionQueryTile* tiles = nullptr;  // of the queries
};

/// A tile: queries [query, query + rows), keys [key, key + n).
struct AttentionTile {
  int64_t query = 0;
  int64_t rows = 0;
  int64_t key = 0;
  int64_t n = 0;
  bool adds_q = false;  // adds to dq, which else is set
  bool adds_k = false;  // the same for dk and dv
};

inline constexpr int64_t kTileWords = kTileKeys + 8;

/// The random words of query i and the keys [key, key + n), n <= kTileKeys. They start somewhere in `words`, which has
/// room for kTileWords.
template <class T>
const uint32_t* drop_words(const Attention<T>& in, int64_t b, int64_t h, int64_t i, int64_t key, int64_t n,
                           uint32_t* words) {
  const int64_t first = ((b * in.heads + h) * in.queries + i) * in.keys + key, skipped = first % 4;
  philox(in.dropout.key, in.dropout.counter + static_cast<uint64_t>(first / 4),
         static_cast<uint64_t>(RandomStream::values), words, (skipped + n + 3) / 4);
  return words + skipped;
}

}  // namespace gradus::kernels

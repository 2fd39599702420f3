// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <gradus/tensor/kernels/attention/attention.hpp>

// What the forward and the backward pass over tiles of scores share: which keys a query may use, and what is packed.

namespace gradus::kernels {

inline constexpr int64_t kTileQueries = 64;
inline constexpr int64_t kTileKeys = 64;

/// Keys [first, last) of one query. Keys outside of it are blocked; inside, only `keep` blocks.
struct KeyRange {
  int64_t first = 0;
  int64_t last = 0;
};

template <class T>
KeyRange keys_of(const Attention<T>& in, int64_t b, int64_t i) {
  const int64_t position = i + in.keys - in.queries;
  const int64_t length = in.lengths != nullptr ? in.lengths[b] : in.keys;
  // `before` and `after` may be as large as an int64_t.
  const int64_t first = position > in.before ? position - in.before : 0;
  const int64_t last = position >= length - in.after ? length : position + in.after + 1;
  return {std::min(first, length), std::clamp<int64_t>(last, std::min(first, length), length)};
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

/// The rows of a tile of queries that may use some of the keys [key, key + n): ranges move up with the query, so these
/// are neighbours. Relative to the first query of the tile.
template <class T>
KeyRange rows_using(const Attention<T>& in, int64_t b, int64_t first_query, int64_t rows, int64_t key, int64_t n) {
  KeyRange used{0, rows};
  while (used.first < used.last && keys_of(in, b, first_query + used.first).last <= key) ++used.first;
  while (used.last > used.first && keys_of(in, b, first_query + used.last - 1).first >= key + n) --used.last;
  return used;
}

/// The keys that some query of [first_query, first_query + rows) may use, rounded to whole tiles at the beginning.
template <class T>
KeyRange keys_of_rows(const Attention<T>& in, int64_t b, int64_t first_query, int64_t rows) {
  const KeyRange lowest = keys_of(in, b, first_query), highest = keys_of(in, b, first_query + rows - 1);
  return {lowest.first / kTileKeys * kTileKeys, highest.last};
}

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT
// Attention forward, tile by tile, with a running maximum m and sum l of e^(z - m) for each query (Milakov &
// Gimelshein 2018; Dao et al. 2022):
//   m' = max(m, max z)   p = e^(z - m')   l = l e^(m - m') + sum p   y = y e^(m - m') + p V
// and at the end y / l. A sink is one more term: m starts at it, and l at 1.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/attention/attention_forward.cpp"
#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/attention/attention_one_tile-inl.hpp>
#include <gradus/tensor/kernels/attention/attention_rows-inl.hpp>
#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/simd/simd_log-inl.hpp>
#include <gradus/tensor/memory/allocator.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// One row of a tile: from scores to weights of the running sum. `fresh` says that y is 0 and not written yet.
template <class T>
HWY_INLINE void TakeRow(const Attention<T>& in, const AttentionForwardBlock<T>& block, int64_t row, int64_t first_key,
                        int64_t n, bool fresh, T* s) {
  const bool plain = IsPlainRow(in, block.b, block.first_query + row, first_key, n);
  if (!plain) FinishScores(in, block.b, block.h, block.first_query + row, first_key, n, s);
  const T scale = plain ? in.scale : T{1};
  const T before = block.largest[row], largest = HWY_MAX(before, scale * LargestScore(s, n));
  if (largest == -InfinityOf<T>()) {
    std::fill_n(s, n, T{0});
    return;
  }
  block.largest[row] = largest;
  if (before == -InfinityOf<T>()) {  // the first keys of this query: l and y are 0
    block.sum[row] = ExpRow(s, scale, largest, n, s);
    return;
  }
  const T kept = ExpOf(before, largest);
  block.sum[row] = block.sum[row] * kept + ExpRow(s, scale, largest, n, s);
  if (kept != T{1} && !fresh) ScaleElements(block.y + row * in.value_width, kept, in.value_width);
}

/// The tile of the queries [row, row + rows) of the block and the keys [key, key + n). Adds to y, or sets it when
/// fresh.
template <class T>
HWY_INLINE void ForwardTile(const Attention<T>& in, const AttentionForwardBlock<T>& block, int64_t row, int64_t rows,
                            int64_t key, int64_t n, bool fresh, const TileOperand<T>& v) {
  PackedGemm<T> scores{.m = rows, .n = n, .k = in.width, .lda = in.q_at.row, .packed = block.packed_k};
  scores.a = row_at(in.q, in.q_at, block.b, block.h, block.first_query + row);
  scores.c = block.scores;
  scores.ldc = kTileKeys;
  RunPacked(scores);
  uint32_t words[kTileWords];
  for (int64_t r = 0; r < rows; ++r) {
    T* s = block.scores + r * kTileKeys;
    TakeRow(in, block, row + r, key, n, fresh, s);
    if (in.dropout.limit == 0) continue;
    DropElements(in.dropout, drop_words(in, block.b, block.h, block.first_query + row + r, key, n, words), n, s);
  }
  PackedGemm<T> weighted{.m = rows, .n = in.value_width, .k = n, .a = block.scores, .lda = kTileKeys};
  weighted.c = block.y + row * in.value_width;
  weighted.ldc = in.value_width;
  weighted.accumulate = !fresh;
  AddWeighted(weighted, v);
}

/// lse = m + log(l), or infinity for a query without an allowed key.
template <class T>
HWY_INLINE void FinishLse(const AttentionForwardBlock<T>& block) {
  const hn::ScalableTag<T> d;
  const auto infinity = hn::Set(d, InfinityOf<T>());
  ForVectors(d, block.rows, [&](const auto& io, int64_t row) HWY_ATTR {
    const auto sum = io.load(block.sum + row);
    const auto lse = hn::Add(io.load(block.largest + row), Log(d, sum));
    io.store(hn::IfThenElse(hn::Eq(sum, hn::Zero(d)), infinity, lse), block.lse + row);
  });
}

/// y / l, or 0 for a query without an allowed key, and lse.
template <class T>
HWY_INLINE void FinishForward(const Attention<T>& in, const AttentionForwardBlock<T>& block) {
  FinishLse(block);
  for (int64_t row = 0; row < block.rows; ++row) {
    const T sum = block.sum[row];
    if (sum != T{0}) ScaleElements(block.y + row * in.value_width, T{1} / sum, in.value_width);
  }
}

template <class T>
void RunForwardBlock(const Attention<T>& in, const AttentionForwardBlock<T>& block) {
  const int64_t head = block.h / (in.heads / in.key_heads);
  if (block.weights != nullptr) {
    ForwardOfOneTile(in, block);
    return FinishLse(block);
  }
  std::fill_n(block.largest, block.rows, in.sink != nullptr ? in.sink[block.h] : -InfinityOf<T>());
  std::fill_n(block.sum, block.rows, in.sink != nullptr ? T{1} : T{0});
  bool written[kBlockQueries / kTileQueries] = {};  // the tiles of queries whose y is set
  const Range keys = keys_of_rows(in, block.b, block.first_query, block.rows);
  for (int64_t key = keys.first; key < keys.last; key += kTileKeys) {
    const int64_t n = HWY_MIN(kTileKeys, keys.last - key);
    const T* v = row_at(in.v, in.v_at, block.b, head, key);
    pack_b<T>(in.width, n, row_at(in.k, in.k_at, block.b, head, key), 1, in.k_at.row, block.packed_k);
    TileOperand<T> values = OperandOf(v, in.v_at.row, n, in.value_width, block.packed_v);
    values.finite = AllFinite(v, in.v_at.row, n, in.value_width);
    for (int64_t row = 0; row < block.rows; row += kTileQueries) {
      const int64_t rows = HWY_MIN(kTileQueries, block.rows - row);
      const Range used = rows_using(in, block.b, block.first_query + row, rows, key, n);
      if (used.first >= used.last) continue;
      bool& is_written = written[row / kTileQueries];
      const bool fresh = !is_written && used.last - used.first == rows;
      if (!is_written && !fresh) std::fill_n(block.y + row * in.value_width, rows * in.value_width, T{0});
      is_written = true;
      ForwardTile(in, block, row + used.first, used.last - used.first, key, n, fresh, values);
    }
  }
  for (int64_t row = 0; row < block.rows; row += kTileQueries) {
    const int64_t rows = HWY_MIN(kTileQueries, block.rows - row);
    if (!written[row / kTileQueries]) std::fill_n(block.y + row * in.value_width, rows * in.value_width, T{0});
  }
  FinishForward(in, block);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void attention_forward(const Attention<T>& in, const AttentionResults<T>& out) {
  const int64_t blocks = (in.queries + kBlockQueries - 1) / kBlockQueries;
  const int64_t rows = std::min(kBlockQueries, in.queries);
  const int64_t k_size = packed_b_size<T>(in.width, kTileKeys), v_size = packed_b_size<T>(kTileKeys, in.value_width);
  const auto run = [&](int64_t begin, int64_t end) {
    detail::Scratch scratch(
        static_cast<size_t>(k_size + v_size + 2 * kTileQueries * kTileKeys + 2 * rows + 2 * kTileQueries) * sizeof(T));
    AttentionForwardBlock<T> block;
    block.packed_k = scratch.as<T>();
    block.packed_v = block.packed_k + k_size;
    block.scores = block.packed_v + v_size;
    block.largest = block.scores + kTileQueries * kTileKeys;
    block.sum = block.largest + rows;
    block.extra = block.sum + rows;
    block.first = block.extra + kTileQueries * kTileKeys;
    block.last = block.first + kTileQueries;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t head = task / blocks;
      block.b = head / in.heads;
      block.h = head % in.heads;
      block.first_query = task % blocks * kBlockQueries;
      block.rows = std::min(kBlockQueries, in.queries - block.first_query);
      block.y = out.y + (head * in.queries + block.first_query) * in.value_width;
      block.lse = out.lse + head * in.queries + block.first_query;
      block.weights = shifted(out.weights, head * in.queries * in.keys);
      GRADUS_SIMD(RunForwardBlock<T>)(in, block);
    }
  };
  const int64_t work = rows * in.keys * (in.width + in.value_width);
  parallel_for(in.batch * in.heads * blocks, run, std::max<int64_t>(1, kTaskWork / std::max<int64_t>(1, work)));
}

GRADUS_FLOAT_AND_DOUBLE(attention_forward)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

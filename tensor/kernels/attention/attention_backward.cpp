// SPDX-License-Identifier: MIT
// Attention backward, tile by tile. The weights are computed again from lse, so nothing of size Tq x Tk is stored (Dao
// et al. 2022, algorithm 4). With a = e^(z - lse), delta_i = g_i . y_i and da = g V^T, for each query i:
//   dz = a (da - delta)   dbias = ds = dz (1 - (z / c)^2)   dsink = -sum_i e^(sink - lse_i) delta_i
//   dV = a^T g   dQ = scale ds K   dK = scale ds^T Q
// With dropout, da = d (g V^T) and dV = (d a)^T g; delta is the same.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/attention/attention_backward.cpp"
#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/attention/attention_one_tile-inl.hpp>
#include <gradus/tensor/kernels/attention/attention_rows-inl.hpp>
#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/memory/allocator.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// a . b of kRows adjacent rows, each with its terms in ascending order, as in the tiles of a product. So where one key
/// has the whole weight, da - delta is exactly 0. Several rows hide the latency of an FMA.
template <int kRows, class T>
HWY_INLINE void DotsInOrder(const T* a, const T* b, int64_t n, T* dots) {
  const hn::CappedTag<T, 1> d;
  hn::Vec<decltype(d)> sums[kRows];
  for (auto& sum : sums) sum = hn::Zero(d);
  for (int64_t j = 0; j < n; ++j) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      sums[r] = hn::MulAdd(hn::Set(d, a[r * n + j]), hn::Set(d, b[r * n + j]), sums[r]);
    }
  }
  for (int r = 0; r < kRows; ++r) dots[r] = hn::GetLane(sums[r]);
}

/// delta, the derivative by the sink, and which tiles are finite. A query without an allowed key takes no part.
template <class T>
HWY_INLINE void PrepareRows(const Attention<T>& in, const AttentionBackwardHead<T>& head) {
  const int64_t width = in.value_width;
  int64_t row = 0;
  for (; row + 8 <= in.queries; row += 8) {
    DotsInOrder<8>(head.g + row * width, head.y + row * width, width, head.delta + row);
  }
  for (; row < in.queries; ++row) DotsInOrder<1>(head.g + row * width, head.y + row * width, width, head.delta + row);
  T sink = 0;
  for (int64_t i = 0; i < in.queries; ++i) {
    if (head.lse[i] == InfinityOf<T>()) {
      head.delta[i] = 0;
    } else if (in.sink != nullptr && head.dsink != nullptr) {
      sink -= ExpOf(in.sink[head.h], head.lse[i]) * head.delta[i];
    }
  }
  if (head.dsink != nullptr) *head.dsink = sink;
  for (int64_t query = 0; query < in.queries; query += kTileQueries) {
    const int64_t rows = HWY_MIN(kTileQueries, in.queries - query);
    const bool q = AllFinite(row_at(in.q, in.q_at, head.b, head.h, query), in.q_at.row, rows, in.width);
    const bool g = AllFinite(head.g + query * width, width, rows, width);
    head.tiles[query / kTileQueries] = {q, g, false};
  }
}

/// ds of one row from its z, a and da, and the derivative by the bias. Where a is 0, ds is 0, whatever da is.
template <class T>
HWY_INLINE void RowDerivative(const Attention<T>& in, const AttentionBackwardHead<T>& head, const AttentionTile& tile,
                              int64_t i, T* z, const T* a, const T* da) {
  const hn::ScalableTag<T> d;
  const auto delta = hn::Set(d, head.delta[i]), one = hn::Set(d, T{1});
  const auto cap = hn::Set(d, in.soft_cap), scale = hn::Set(d, in.scale);
  const bool capped = in.soft_cap != T{0};
  T* bias = head.dbias == nullptr ? nullptr : head.dbias + i * head.dbias_at.query + tile.key * head.dbias_at.key;
  const bool one_bias = head.dbias_at.key == 0;
  auto bias_sum = hn::Zero(d);
  ForVectors(d, tile.n, [&](const auto& io, int64_t j) HWY_ATTR {
    const auto weight = io.load(a + j);
    auto ds = hn::Mul(weight, hn::Sub(io.load(da + j), delta));
    if (capped) {
      const auto ratio = hn::Div(io.load(z + j), cap);
      ds = hn::Mul(ds, hn::NegMulAdd(ratio, ratio, one));
    }
    ds = hn::IfThenZeroElse(hn::Eq(weight, hn::Zero(d)), ds);
    if (bias != nullptr && one_bias) bias_sum = hn::Add(bias_sum, io.within(ds));
    if (bias != nullptr && !one_bias) io.store(hn::Add(io.load(bias + j), ds), bias + j);
    io.store(hn::Mul(scale, ds), z + j);
  });
  if (bias != nullptr && one_bias) *bias += hn::GetLane(hn::SumOfLanes(d, bias_sum));
}

/// z, a, da and ds of a tile.
template <class T>
HWY_INLINE void TileDerivative(const Attention<T>& in, const AttentionBackwardHead<T>& head,
                               const AttentionTile& tile) {
  T* z = head.scores;
  T* a = z + kTileQueries * kTileKeys;
  T* da = a + kTileQueries * kTileKeys;
  PackedGemm<T> scores{.m = tile.rows, .n = tile.n, .k = in.width, .lda = in.q_at.row, .packed = head.packed_k_columns};
  scores.a = row_at(in.q, in.q_at, head.b, head.h, tile.query);
  scores.c = z;
  scores.ldc = kTileKeys;
  RunPacked(scores);
  PackedGemm<T> values{.m = tile.rows, .n = tile.n, .k = in.value_width, .lda = in.value_width};
  values.a = head.g + tile.query * in.value_width;
  values.packed = head.packed_v_columns;
  values.c = da;
  values.ldc = kTileKeys;
  RunPacked(values);
  uint32_t words[kTileWords];
  for (int64_t r = 0; r < tile.rows; ++r) {
    const int64_t i = tile.query + r, at = r * kTileKeys;
    const bool plain = IsPlainRow(in, head.b, i, tile.key, tile.n);
    if (!plain) FinishScores(in, head.b, head.h, i, tile.key, tile.n, z + at);
    ExpRow(z + at, plain ? in.scale : T{1}, head.lse[i], tile.n, a + at);
    if (in.dropout.limit == 0) {
      RowDerivative(in, head, tile, i, z + at, a + at, da + at);
      continue;
    }
    const uint32_t* drop = drop_words(in, head.b, head.h, i, tile.key, tile.n, words);
    DropElements(in.dropout, drop, tile.n, da + at);
    RowDerivative(in, head, tile, i, z + at, a + at, da + at);
    DropElements(in.dropout, drop, tile.n, a + at);
  }
}

template <class T>
HWY_INLINE void BackwardTile(const Attention<T>& in, const AttentionBackwardHead<T>& head, const AttentionTile& tile,
                             const TileOperand<T>& keys) {
  TileDerivative(in, head, tile);
  const T* ds = head.scores;
  const T* weights = ds + kTileQueries * kTileKeys;
  const T* q = row_at(in.q, in.q_at, head.b, head.h, tile.query);
  const T* g = head.g + tile.query * in.value_width;
  if (head.dq != nullptr) {
    PackedGemm<T> p{.m = tile.rows, .n = in.width, .k = tile.n, .a = ds, .lda = kTileKeys};
    p.c = head.dq + tile.query * in.width;
    p.ldc = in.width;
    p.accumulate = tile.adds_q;
    AddWeighted(p, keys);
  }
  if (head.dk != nullptr) {
    TileOperand<T> queries = OperandOf(q, in.q_at.row, tile.rows, in.width, head.packed_q);
    queries.finite = head.tiles[tile.query / kTileQueries].q_finite;
    PackedGemm<T> p{.m = tile.n, .n = in.width, .k = tile.rows, .a = ds, .lda = 1};
    p.a_col = kTileKeys;
    p.c = head.dk + tile.key * in.width;
    p.ldc = in.width;
    p.accumulate = tile.adds_k;
    AddWeighted(p, queries);
  }
  if (head.dv != nullptr) {
    TileOperand<T> cotangents = OperandOf(g, in.value_width, tile.rows, in.value_width, head.packed_g);
    cotangents.finite = head.tiles[tile.query / kTileQueries].g_finite;
    PackedGemm<T> p{.m = tile.n, .n = in.value_width, .k = tile.rows, .a = weights, .lda = 1};
    p.a_col = kTileKeys;
    p.c = head.dv + tile.key * in.value_width;
    p.ldc = in.value_width;
    p.accumulate = tile.adds_k;
    AddWeighted(p, cotangents);
  }
}

/// 0 for rows [first, last) of a derivative, which may be null.
template <class T>
HWY_INLINE void FillRows(T* x, int64_t width, int64_t first, int64_t last) {
  if (x != nullptr && first < last) std::fill_n(x + first * width, (last - first) * width, T{0});
}

template <class T>
void RunBackwardHead(const Attention<T>& in, const AttentionBackwardHead<T>& head) {
  if (head.weights != nullptr) return BackwardOfOneTile(in, head);
  PrepareRows(in, head);
  const auto fill_keys = [&](int64_t first, int64_t last) {
    if (head.adds) return;
    FillRows(head.dk, in.width, first, last);
    FillRows(head.dv, in.value_width, first, last);
  };
  const int64_t key_head = head.h / (in.heads / in.key_heads);
  const Range all = keys_of_rows(in, head.b, 0, in.queries);
  fill_keys(0, HWY_MIN(all.first, in.keys));
  fill_keys(HWY_MAX(all.last, all.first), in.keys);
  for (int64_t key = all.first; key < all.last; key += kTileKeys) {
    const int64_t n = HWY_MIN(kTileKeys, all.last - key);
    const T* k = row_at(in.k, in.k_at, head.b, key_head, key);
    const T* v = row_at(in.v, in.v_at, head.b, key_head, key);
    pack_b<T>(in.width, n, k, 1, in.k_at.row, head.packed_k_columns);
    pack_b<T>(in.value_width, n, v, 1, in.v_at.row, head.packed_v_columns);
    TileOperand<T> keys = OperandOf(k, in.k_at.row, n, in.width, head.packed_k);
    keys.finite = AllFinite(k, in.k_at.row, n, in.width);
    bool keys_written = head.adds;
    for (int64_t query = 0; query < in.queries; query += kTileQueries) {
      const int64_t rows = HWY_MIN(kTileQueries, in.queries - query);
      const Range used = rows_using(in, head.b, query, rows, key, n);
      if (used.first >= used.last) continue;
      AttentionQueryTile& known = head.tiles[query / kTileQueries];
      const bool whole = used.last - used.first == rows;
      if (!known.dq_written && !whole) FillRows(head.dq, in.width, query, query + rows);
      BackwardTile(in, head,
                   {query + used.first, used.last - used.first, key, n, known.dq_written || !whole, keys_written},
                   keys);
      known.dq_written = keys_written = true;
    }
    if (!keys_written) fill_keys(key, key + n);
  }
  for (int64_t query = 0; query < in.queries; query += kTileQueries) {
    if (head.tiles[query / kTileQueries].dq_written) continue;
    FillRows(head.dq, in.width, query, HWY_MIN(query + kTileQueries, in.queries));
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

// The memory of one thread.
template <class T>
class BackwardScratch {
 public:
  explicit BackwardScratch(const Attention<T>& in)
      : queries_(in.queries),
        k_columns_(packed_b_size<T>(in.width, kTileKeys)),
        v_columns_(packed_b_size<T>(in.value_width, kTileKeys)),
        k_rows_(packed_b_size<T>(kTileKeys, in.width)),
        g_rows_(packed_b_size<T>(kTileQueries, in.value_width)),
        scratch_(static_cast<size_t>(k_columns_ + v_columns_ + 2 * k_rows_ + g_rows_ + 3 * kTileQueries * kTileKeys +
                                     in.queries) *
                     sizeof(T) +
                 static_cast<size_t>(in.queries / kTileQueries + 1) * sizeof(AttentionQueryTile)) {}

  void give_to(AttentionBackwardHead<T>& head) {
    head.packed_k_columns = scratch_.template as<T>();
    head.packed_v_columns = head.packed_k_columns + k_columns_;
    head.packed_k = head.packed_v_columns + v_columns_;
    head.packed_q = head.packed_k + k_rows_;
    head.packed_g = head.packed_q + k_rows_;
    head.scores = head.packed_g + g_rows_;
    head.delta = head.scores + 3 * kTileQueries * kTileKeys;
    head.tiles = reinterpret_cast<AttentionQueryTile*>(head.delta + queries_);
  }

 private:
  int64_t queries_;
  int64_t k_columns_;
  int64_t v_columns_;
  int64_t k_rows_;
  int64_t g_rows_;
  detail::Scratch scratch_;
};

// All query heads that share key head `key_head` of item b.
template <class T>
void run_key_head(const Attention<T>& in, const AttentionResults<T>& saved, const T* g,
                  const AttentionDerivatives<T>& out, T* dsink, int64_t b, int64_t key_head,
                  AttentionBackwardHead<T>& head) {
  const int64_t group = in.heads / in.key_heads, rows = in.queries;
  head.b = b;
  const int64_t keys = (b * in.key_heads + key_head) * in.keys;
  head.dk = shifted(out.k, keys * in.width);
  head.dv = shifted(out.v, keys * in.value_width);
  if (group == 0) {  // no query head overwrites them
    if (out.k != nullptr) std::fill_n(head.dk, in.keys * in.width, T{0});
    if (out.v != nullptr) std::fill_n(head.dv, in.keys * in.value_width, T{0});
  }
  for (head.h = key_head * group; head.h < (key_head + 1) * group; ++head.h) {
    const int64_t at = (b * in.heads + head.h) * rows;
    head.y = saved.y + at * in.value_width;
    head.lse = saved.lse + at;
    head.weights = shifted(saved.weights, at * in.keys);
    head.g = g + at * in.value_width;
    head.dq = shifted(out.q, at * in.width);
    head.adds = head.h > key_head * group;
    if (out.bias != nullptr) head.dbias = out.bias + b * out.bias_at.batch + head.h * out.bias_at.head;
    head.dbias_at = out.bias_at;
    if (dsink != nullptr) head.dsink = dsink + b * in.heads + head.h;
    GRADUS_SIMD(RunBackwardHead<T>)(in, head);
  }
}

}  // namespace

template <class T>
void attention_backward(const Attention<T>& in, const AttentionResults<T>& saved, const T* g,
                        const AttentionDerivatives<T>& out) {
  detail::Scratch sinks(static_cast<size_t>(out.sink == nullptr ? 0 : in.batch * in.heads) * sizeof(T));
  T* dsink = out.sink == nullptr ? nullptr : sinks.as<T>();
  if (out.bias != nullptr) std::fill_n(out.bias, out.bias_size, T{0});
  // Where the bias is shared, one thread adds up its derivative.
  const bool one_batch = out.bias != nullptr && out.bias_at.batch == 0;
  const bool one_head = out.bias != nullptr && out.bias_at.head == 0;
  const int64_t batches = one_batch ? std::min<int64_t>(1, in.batch) : in.batch;
  const int64_t heads = one_head ? 1 : in.key_heads;
  const auto run = [&](int64_t begin, int64_t end) {
    BackwardScratch<T> scratch(in);
    AttentionBackwardHead<T> head;
    scratch.give_to(head);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t b = task / heads, h = task % heads;
      for (int64_t item = b; item < (one_batch ? in.batch : b + 1); ++item) {
        for (int64_t key_head = h; key_head < (one_head ? in.key_heads : h + 1); ++key_head) {
          run_key_head(in, saved, g, out, dsink, item, key_head, head);
        }
      }
    }
  };
  const int64_t work = in.queries * in.keys * (3 * in.width + 2 * in.value_width);
  parallel_for(batches * heads, run, std::max<int64_t>(1, kTaskWork / std::max<int64_t>(1, work)));
  if (out.sink == nullptr) return;
  std::fill_n(out.sink, in.heads, T{0});
  for (int64_t i = 0; i < in.batch * in.heads; ++i) out.sink[i % in.heads] += dsink[i];
}

GRADUS_FLOAT_AND_DOUBLE(attention_backward)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

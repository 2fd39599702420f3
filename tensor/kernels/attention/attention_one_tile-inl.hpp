// SPDX-License-Identifier: MIT

// Attention of a head whose scores are one tile. The forward pass keeps the weights a, so the backward pass needs one
// product less and no exponentials. With da = V g^T and delta_i = sum_j a_ji da_ji:
//   ds = a (da - delta)   dbias = ds   dsink = -sum_i e^(sink - lse_i) delta_i
//   dV = a g   dQ = scale ds^T K   dK = scale ds Q
// With dropout, y = (d a)^T V, da = d (V g^T) and dV = (d a) g.
// The tiles are transposed: [keys, queries]. So the queries are the lanes of vectors, and a maximum or a sum over the
// keys of a query needs no step across lanes.

#include <gradus/tensor/kernels/attention/attention_rows-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_ATTENTION_ONE_TILE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_ATTENTION_ONE_TILE_INL
#undef GRADUS_TENSOR_KERNELS_ATTENTION_ONE_TILE_INL
#else
#define GRADUS_TENSOR_KERNELS_ATTENTION_ONE_TILE_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// n elements, rounded up to whole vectors. The rows of a tile are this far apart; what is after the last query has no
/// meaning.
template <class T>
HWY_INLINE int64_t WholeVectors(int64_t n) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  return (n + lanes - 1) / lanes * lanes;
}

/// What is added to the scaled scores of query i: the bias, and -infinity where `keep` blocks. Written to a column of
/// `extra` [keys, row].
template <class T>
HWY_INLINE void ExtraOfQuery(const Attention<T>& in, int64_t b, int64_t h, int64_t i, int64_t row, T* extra) {
  const T* bias = score_row_at(in.bias, in.bias_at, b, h, i);
  const uint8_t* keep = score_row_at(in.keep, in.keep_at, b, h, i);
  for (int64_t j = 0; j < in.keys; ++j) {
    const bool blocked = keep != nullptr && keep[j * in.keep_at.key] == 0;
    extra[j * row + i] = blocked ? -InfinityOf<T>() : bias != nullptr ? bias[j * in.bias_at.key] : T{0};
  }
}

/// z = scale s + bias, or -infinity where a key is blocked. Overwrites s, from which only a positive scale is left out
/// when this is not needed; returns what is left to multiply by.
template <class T>
HWY_INLINE T FinishTile(const Attention<T>& in, const AttentionForwardBlock<T>& block, int64_t row) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const bool has_extra = in.bias != nullptr || in.keep != nullptr, ranged = in.ranges != nullptr;
  if (!has_extra && !ranged && in.scale > T{0}) return in.scale;
  T *extra = block.extra, *first = block.first, *last = block.last;
  for (int64_t i = 0; i < in.queries; ++i) {
    const Range range = keys_of(in, block.b, i);
    first[i] = static_cast<T>(range.first);
    last[i] = static_cast<T>(range.last);
    if (has_extra) ExtraOfQuery(in, block.b, block.h, i, row, extra);
  }
  const auto scale = hn::Set(d, in.scale), blocked = hn::Set(d, -InfinityOf<T>());
  for (int64_t j = 0; j < in.keys; ++j) {
    const auto key = hn::Set(d, static_cast<T>(j));
    for (int64_t i = 0; i < row; i += lanes) {
      T* s = block.scores + j * row + i;
      auto allowed = hn::And(hn::Le(hn::LoadU(d, first + i), key), hn::Lt(key, hn::LoadU(d, last + i)));
      auto z = hn::Mul(scale, hn::LoadU(d, s));
      if (has_extra) {
        const auto more = hn::LoadU(d, extra + j * row + i);
        allowed = hn::And(allowed, hn::Ne(more, blocked));
        z = hn::Add(z, more);
      }
      hn::StoreU(hn::IfThenElse(allowed, z, blocked), d, s);
    }
  }
  return T{1};
}

/// a of all queries from their scores, which it overwrites by a, and m and l.
template <class T>
HWY_INLINE void WeightsOfTile(const Attention<T>& in, const AttentionForwardBlock<T>& block, int64_t row) {
  const hn::ScalableTag<T> d;
  const T left = FinishTile(in, block, row);
  const auto scale = hn::Set(d, left), none = hn::Set(d, -InfinityOf<T>()), zero = hn::Zero(d);
  const auto sink = in.sink != nullptr ? hn::Set(d, in.sink[block.h]) : none;
  ForVectors(d, in.queries, [&](const auto& io, int64_t i) HWY_ATTR {
    T* s = block.scores + i;
    auto largest = none;
    for (int64_t j = 0; j < in.keys; ++j) largest = hn::Max(hn::LoadU(d, s + j * row), largest);
    largest = hn::Max(hn::Mul(scale, largest), sink);
    // Where all keys are blocked, e^z is 0 for any finite shift, and NaN only for a score that is NaN.
    const auto shift = hn::IfThenZeroElse(hn::Eq(largest, none), largest);
    auto sum = in.sink != nullptr ? ExpOfNegative(d, hn::Sub(sink, shift)) : zero;
    for (int64_t j = 0; j < in.keys; ++j) {
      const auto e = ExpOfNegative(d, hn::Sub(hn::Mul(scale, hn::LoadU(d, s + j * row)), shift));
      hn::StoreU(e, d, s + j * row);
      sum = hn::Add(sum, e);
    }
    io.store(largest, block.largest + i);
    io.store(sum, block.sum + i);
    const auto by = hn::IfThenZeroElse(hn::Eq(sum, zero), hn::Div(hn::Set(d, T{1}), sum));
    for (int64_t j = 0; j < in.keys; ++j) {
      const auto a = hn::Mul(by, hn::LoadU(d, s + j * row));
      hn::StoreU(a, d, s + j * row);
      io.store(a, block.weights + j * in.queries + i);
    }
  });
}

/// Whether a weight of exactly 0 may have to hide what is infinite or NaN.
template <class T>
HWY_INLINE bool MayHide(const Attention<T>& in) {
  return in.keep != nullptr || in.ranges != nullptr || in.bias != nullptr || in.dropout.limit != 0;
}

/// x_ji = d_ij x_ji.
template <class T>
HWY_INLINE void DropTile(const Attention<T>& in, int64_t b, int64_t h, int64_t row, T* x) {
  uint32_t words[kTileWords];
  for (int64_t i = 0; i < in.queries; ++i) {
    const uint32_t* drop = drop_words(in, b, h, i, 0, in.keys, words);
    for (int64_t j = 0; j < in.keys; ++j) {
      T& element = x[j * row + i];
      element = drop[j] >= in.dropout.limit ? element * in.dropout.scale : T{0};
    }
  }
}

template <class T>
HWY_INLINE void ForwardOfOneTile(const Attention<T>& in, const AttentionForwardBlock<T>& block) {
  const int64_t head = block.h / (in.heads / in.key_heads), row = WholeVectors<T>(in.queries);
  const T* v = row_at(in.v, in.v_at, block.b, head, 0);
  pack_b<T>(in.width, in.queries, row_at(in.q, in.q_at, block.b, block.h, 0), 1, in.q_at.row, block.packed_k);
  PackedGemm<T> scores{.m = in.keys, .n = row, .k = in.width, .lda = in.k_at.row, .packed = block.packed_k};
  scores.a = row_at(in.k, in.k_at, block.b, head, 0);
  scores.c = block.scores;
  scores.ldc = row;
  RunPacked(scores);
  WeightsOfTile(in, block, row);
  if (in.dropout.limit != 0) DropTile(in, block.b, block.h, row, block.scores);
  TileOperand<T> values = OperandOf(v, in.v_at.row, in.keys, in.value_width, block.packed_v);
  values.finite = !MayHide(in) || AllFinite(v, in.v_at.row, in.keys, in.value_width);
  PackedGemm<T> weighted{.m = in.queries, .n = in.value_width, .k = in.keys, .a = block.scores, .lda = 1};
  weighted.a_col = row;
  weighted.c = block.y;
  weighted.ldc = in.value_width;
  AddWeighted(weighted, values);
}

/// ds times `scale` from a and da, which it overwrites, and delta. Where a is 0, ds is 0, whatever da is.
template <class T>
HWY_INLINE void DerivativeOfScores(const Attention<T>& in, const AttentionBackwardHead<T>& head, int64_t row, T scale,
                                   T* da) {
  const hn::ScalableTag<T> d;
  const auto zero = hn::Zero(d), by = hn::Set(d, scale);
  ForVectors(d, in.queries, [&](const auto& io, int64_t i) HWY_ATTR {
    const T* a = head.weights + i;
    auto delta = zero;
    for (int64_t j = 0; j < in.keys; ++j) {
      const auto weight = io.load(a + j * in.queries);
      const auto term = hn::Mul(weight, hn::LoadU(d, da + j * row + i));
      delta = hn::Add(delta, hn::IfThenZeroElse(hn::Eq(weight, zero), term));
    }
    io.store(delta, head.delta + i);
    for (int64_t j = 0; j < in.keys; ++j) {
      T* at = da + j * row + i;
      const auto weight = io.load(a + j * in.queries);
      const auto ds = hn::Mul(by, hn::Mul(weight, hn::Sub(hn::LoadU(d, at), delta)));
      hn::StoreU(hn::IfThenZeroElse(hn::Eq(weight, zero), ds), d, at);
    }
  });
}

/// Adds ds to the derivative by the bias.
template <class T>
HWY_INLINE void AddToBias(const Attention<T>& in, const AttentionBackwardHead<T>& head, int64_t row, const T* ds) {
  for (int64_t i = 0; i < in.queries; ++i) {
    T* bias = head.dbias + i * head.dbias_at.query;
    for (int64_t j = 0; j < in.keys; ++j) bias[j * head.dbias_at.key] += ds[j * row + i];
  }
}

/// scale ds to `ds`, with dropout d a to `dropped`, and the derivatives by the bias and the sink.
template <class T>
HWY_INLINE void DerivativeOfTile(const Attention<T>& in, const AttentionBackwardHead<T>& head, int64_t row, T* ds,
                                 T* dropped) {
  pack_b<T>(in.value_width, in.queries, head.g, 1, in.value_width, head.packed_v_columns);
  PackedGemm<T> values{.m = in.keys, .n = row, .k = in.value_width, .lda = in.v_at.row};
  values.a = row_at(in.v, in.v_at, head.b, head.h / (in.heads / in.key_heads), 0);
  values.packed = head.packed_v_columns;
  values.c = ds;
  values.ldc = row;
  RunPacked(values);
  if (in.dropout.limit != 0) {
    for (int64_t j = 0; j < in.keys; ++j) std::copy_n(head.weights + j * in.queries, in.queries, dropped + j * row);
    DropTile(in, head.b, head.h, row, dropped);
    DropTile(in, head.b, head.h, row, ds);
  }
  DerivativeOfScores(in, head, row, head.dbias == nullptr ? in.scale : T{1}, ds);
  if (head.dbias != nullptr) {
    AddToBias(in, head, row, ds);
    ScaleElements(ds, in.scale, in.keys * row);
  }
  if (head.dsink == nullptr) return;
  T sink = 0;
  for (int64_t i = 0; i < in.queries; ++i) sink -= ExpOf(in.sink[head.h], head.lse[i]) * head.delta[i];
  *head.dsink = sink;
}

template <class T>
HWY_INLINE void BackwardOfOneTile(const Attention<T>& in, const AttentionBackwardHead<T>& head) {
  const int64_t row = WholeVectors<T>(in.queries), key_head = head.h / (in.heads / in.key_heads);
  T* ds = head.scores;
  T* dropped = ds + kTileQueries * kTileKeys;
  DerivativeOfTile(in, head, row, ds, dropped);
  if (head.dq != nullptr) {
    const T* k = row_at(in.k, in.k_at, head.b, key_head, 0);
    TileOperand<T> keys = OperandOf(k, in.k_at.row, in.keys, in.width, head.packed_k);
    keys.finite = !MayHide(in) || AllFinite(k, in.k_at.row, in.keys, in.width);
    PackedGemm<T> p{.m = in.queries, .n = in.width, .k = in.keys, .a = ds, .lda = 1, .a_col = row};
    p.c = head.dq;
    p.ldc = in.width;
    AddWeighted(p, keys);
  }
  PackedGemm<T> by_key{.m = in.keys, .k = in.queries, .lda = row, .accumulate = head.adds};
  if (head.dk != nullptr) {
    const T* q = row_at(in.q, in.q_at, head.b, head.h, 0);
    TileOperand<T> queries = OperandOf(q, in.q_at.row, in.queries, in.width, head.packed_q);
    queries.finite = !MayHide(in) || AllFinite(q, in.q_at.row, in.queries, in.width);
    by_key.n = by_key.ldc = in.width;
    by_key.a = ds;
    by_key.c = head.dk;
    AddWeighted(by_key, queries);
  }
  if (head.dv != nullptr) {
    TileOperand<T> cotangents = OperandOf(head.g, in.value_width, in.queries, in.value_width, head.packed_g);
    cotangents.finite = !MayHide(in) || AllFinite(head.g, in.value_width, in.queries, in.value_width);
    by_key.n = by_key.ldc = in.value_width;
    by_key.a = in.dropout.limit == 0 ? head.weights : dropped;
    by_key.lda = in.dropout.limit == 0 ? in.queries : row;
    by_key.c = head.dv;
    AddWeighted(by_key, cotangents);
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// Where row (b, h, i) of an operand [B, H, T, D] starts, in elements. The elements of a row are adjacent.
struct HeadStrides {
  int64_t batch = 0;
  int64_t head = 0;
  int64_t row = 0;
};

/// Where element (b, h, i, j) of an operand that broadcasts to the scores is; 0 along an axis that is broadcast.
struct ScoreStrides {
  int64_t batch = 0;
  int64_t head = 0;
  int64_t query = 0;
  int64_t key = 0;  ///< 0 or 1
};

/// Which weights become 0: d_ij is 0 when word (b, h, i, j), counted in row-major order, of the stream is below
/// `limit`, else `scale`. So the weights are those that kernels::dropout keeps. A limit of 0 keeps all.
template <class T>
struct AttentionDropout {
  uint64_t key = 0;
  uint64_t counter = 0;
  uint32_t limit = 0;
  T scale = 1;
};

/// Attention of H query heads over G key heads: head h uses key head h / (H / G). For query i:
///   z_j = cap(scale q_i . k_j + bias_ij),  cap(z) = c tanh(z / c), or z without a cap
///   a_j = e^z_j / (e^sink + sum over the allowed keys of e^z)
///   y_i = sum over the allowed keys of a_j v_j
/// Key j is allowed when its byte in `keep` is not 0 and it is within the query's range [first, last). A query without
/// an allowed key has y = 0. What lies at a blocked position is never used, whatever it is.
/// With dropout, y_i = sum of d_ij a_j v_j, where d_ij is 0 or 1 / (1 - p).
template <class T>
struct Attention {
  int64_t batch = 0;
  int64_t heads = 0;
  int64_t key_heads = 0;  ///< G, which divides H
  int64_t queries = 0;
  int64_t keys = 0;
  int64_t width = 0;        ///< of queries and keys
  int64_t value_width = 0;  ///< of values and of y
  const T* q = nullptr;
  const T* k = nullptr;
  const T* v = nullptr;
  HeadStrides q_at = {};
  HeadStrides k_at = {};
  HeadStrides v_at = {};
  const T* bias = nullptr;
  ScoreStrides bias_at = {};
  const uint8_t* keep = nullptr;
  ScoreStrides keep_at = {};
  /// For query i of item b, first and last are at ranges + b * range_batch + i * range_query. Null: all keys.
  const int64_t* ranges = nullptr;
  int64_t range_batch = 0;
  int64_t range_query = 0;
  const T* sink = nullptr;  ///< [H]
  T scale = 1;
  T soft_cap = 0;  ///< c; 0: no cap
  AttentionDropout<T> dropout = {};
};

inline constexpr int64_t kTileQueries = 64;
inline constexpr int64_t kTileKeys = 64;

/// Whether the scores of a head are one tile. Then it is cheaper to keep the weights than to compute them again. A cap
/// needs the scores too.
inline bool keeps_attention_weights(int64_t queries, int64_t keys, bool capped) {
  return queries <= kTileQueries && keys <= kTileKeys && !capped;
}

/// What attention gives, all dense.
template <class T>
struct AttentionResults {
  T* y = nullptr;        ///< [B, H, Tq, Dv]
  T* lse = nullptr;      ///< [B, H, Tq]: the logarithm of the denominator of a; infinity without an allowed key
  T* weights = nullptr;  ///< a [B, H, Tk, Tq], if keeps_attention_weights; else null
};

/// Works on tiles: beyond its operands it needs memory for a tile only.
template <class T>
void attention_forward(const Attention<T>& in, const AttentionResults<T>& out);

/// The derivatives by the inputs, dense and of the inputs' shapes. They are overwritten; a null one is not computed.
template <class T>
struct AttentionDerivatives {
  T* q = nullptr;
  T* k = nullptr;
  T* v = nullptr;
  T* bias = nullptr;
  ScoreStrides bias_at = {};  ///< strides of the dense derivative, 0 along broadcast axes
  int64_t bias_size = 0;
  T* sink = nullptr;
};

/// Computes the derivatives from the dense cotangent g of y, and from what the forward pass gave.
template <class T>
void attention_backward(const Attention<T>& in, const AttentionResults<T>& saved, const T* g,
                        const AttentionDerivatives<T>& out);

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT

// One row of attention scores inside a tile, and products that leave out weights of 0.

#include <gradus/tensor/kernels/attention/attention_tiles.hpp>
#include <gradus/tensor/kernels/gemm/gemm_packed-inl.hpp>
#include <gradus/tensor/kernels/reduce/reduce-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_exp-inl.hpp>
#include <gradus/tensor/kernels/simd/vectors-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_ATTENTION_ROWS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_ATTENTION_ROWS_INL
#undef GRADUS_TENSOR_KERNELS_ATTENTION_ROWS_INL
#else
#define GRADUS_TENSOR_KERNELS_ATTENTION_ROWS_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// z = cap(scale s + bias) for the allowed keys of one query among the n keys of a tile, and -infinity for the others.
/// Overwrites s. Rows of a tile have room for whole vectors, here and below: what is after the last key has no meaning.
template <class T>
HWY_INLINE void FinishScores(const Attention<T>& in, int64_t b, int64_t h, int64_t i, int64_t first_key, int64_t n,
                             T* s) {
  const hn::ScalableTag<T> d;
  const T blocked = -InfinityOf<T>();
  const Range range = keys_of(in, b, i);
  int64_t begin = HWY_MIN(HWY_MAX(range.first - first_key, int64_t{0}), n);
  int64_t end = HWY_MIN(HWY_MAX(range.last - first_key, begin), n);
  const T* bias = score_row_at(in.bias, in.bias_at, b, h, i);
  const uint8_t* keep = score_row_at(in.keep, in.keep_at, b, h, i);
  if (bias != nullptr) bias += first_key * in.bias_at.key;
  if (keep != nullptr) keep += first_key * in.keep_at.key;
  if (keep != nullptr && in.keep_at.key == 0) {
    if (*keep == 0) end = begin;
    keep = nullptr;
  }
  const auto scale = hn::Set(d, in.scale), cap = hn::Set(d, in.soft_cap);
  const bool biased = bias != nullptr, capped = in.soft_cap != T{0}, one_bias = in.bias_at.key == 0;
  ForVectors(d, n, [&](const auto& io, int64_t j) HWY_ATTR {
    auto z = hn::Mul(scale, hn::LoadU(d, s + j));
    if (biased) z = hn::Add(z, one_bias ? hn::Set(d, *bias) : io.load(bias + j));
    if (capped) z = hn::Mul(cap, Tanh(d, hn::Div(z, cap)));
    if (keep != nullptr) z = hn::IfThenElse(LoadMask(io, keep + j), z, hn::Set(d, blocked));
    hn::StoreU(z, d, s + j);
  });
  for (int64_t j = 0; j < begin; ++j) s[j] = blocked;
  for (int64_t j = end; j < n; ++j) s[j] = blocked;
}

/// e^(x - shift) of one number, x <= shift, with the same rounding as in a vector.
template <class T>
HWY_INLINE T ExpOf(T x, T shift) {
  const hn::ScalableTag<T> d;
  return hn::GetLane(ExpOfNegative(d, hn::Set(d, x - shift)));
}

/// Whether z = scale s for all n keys of the tile and query i, with scale > 0. Such a row needs no FinishScores.
template <class T>
HWY_INLINE bool IsPlainRow(const Attention<T>& in, int64_t b, int64_t i, int64_t first_key, int64_t n) {
  if (in.bias != nullptr || in.keep != nullptr || in.soft_cap != T{0} || !(in.scale > T{0})) return false;
  const Range range = keys_of(in, b, i);
  return range.first <= first_key && range.last >= first_key + n;
}

/// The largest of n scores, -infinity if all are blocked, or NaN if the others are.
template <class T>
HWY_INLINE T LargestScore(const T* s, int64_t n) {
  const hn::ScalableTag<T> d;
  auto largest = hn::Set(d, -InfinityOf<T>());
  ForVectors(d, n, [&](const auto& io, int64_t j) HWY_ATTR {
    largest = hn::Max(io.within(hn::LoadU(d, s + j), -InfinityOf<T>()), largest);
  });
  const T found = hn::GetLane(hn::MaxOfLanes(d, largest));
  if (found == -InfinityOf<T>() && HasNan(s, static_cast<size_t>(n)))
    return hn::GetLane(hn::NaN(hn::CappedTag<T, 1>()));
  return found;
}

/// p = e^(scale s - shift). Returns the sum.
template <class T>
HWY_INLINE T ExpRow(const T* s, T scale, T shift, int64_t n, T* p) {
  const hn::ScalableTag<T> d;
  const auto factor = hn::Set(d, scale), by = hn::Set(d, shift);
  auto sum = hn::Zero(d);
  ForVectors(d, n, [&](const auto& io, int64_t j) HWY_ATTR {
    const auto e = ExpOfNegative(d, hn::Sub(hn::Mul(factor, hn::LoadU(d, s + j)), by));
    hn::StoreU(e, d, p + j);
    sum = hn::Add(sum, io.within(e));
  });
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

/// x_j = d_j x_j, with d_j = 0 where words_j < limit, else `scale`; a dropped x becomes 0, whatever it is.
template <class T>
HWY_INLINE void DropElements(const AttentionDropout<T>& dropout, const uint32_t* words, int64_t n, T* x) {
  for (int64_t j = 0; j < n; ++j) x[j] = words[j] >= dropout.limit ? x[j] * dropout.scale : T{0};
}

/// x *= factor.
template <class T>
HWY_INLINE void ScaleElements(T* x, T factor, int64_t n) {
  const hn::ScalableTag<T> d;
  const auto by = hn::Set(d, factor);
  ForVectors(d, n, [&](const auto& io, int64_t j) HWY_ATTR { io.store(hn::Mul(by, io.load(x + j)), x + j); });
}

/// Whether all elements of `rows` rows are finite: 0 x is 0 for them, and NaN for infinities and NaN.
template <class T>
HWY_INLINE bool AllFinite(const T* x, int64_t row_stride, int64_t rows, int64_t width) {
  const hn::ScalableTag<T> d;
  auto sum = hn::Zero(d);
  for (int64_t i = 0; i < rows; ++i, x += row_stride) {
    ForVectors(d, width, [&](const auto& io, int64_t c) HWY_ATTR {
      sum = hn::MulAdd(hn::Zero(d), io.within(io.load(x + c)), sum);
    });
  }
  return hn::GetLane(hn::SumOfLanes(d, sum)) == T{0};
}

/// B of a product: rows as they are stored, and for a product `values`, whose rows start every `b_row` elements, or are
/// packed when b_row is 0. `finite` says that no element is infinite or NaN.
template <class T>
struct TileOperand {
  const T* rows = nullptr;
  int64_t row_stride = 0;
  const T* values = nullptr;
  int64_t b_row = 0;
  bool finite = true;
};

/// `count` rows of `width` elements as B. Rows that are near each other are read in place. Rows far apart would share
/// few sets of the first-level cache, so they are copied to `packed`.
template <class T>
HWY_INLINE TileOperand<T> OperandOf(const T* rows, int64_t row_stride, int64_t count, int64_t width, T* packed) {
  constexpr int64_t kNearBytes = 512;
  TileOperand<T> out{rows, row_stride, rows, row_stride, true};
  if (row_stride * static_cast<int64_t>(sizeof(T)) > kNearBytes || row_stride < width) {
    pack_b<T>(count, width, rows, row_stride, 1, packed);
    out.values = packed;
    out.b_row = 0;
  }
  return out;
}

/// C = A B, or C += A B when p accumulates, where a weight of 0 in A leaves out its row of B, whatever that row holds.
/// When all of B is finite, the usual product gives the same bits.
template <class T>
HWY_INLINE void AddWeighted(PackedGemm<T> p, const TileOperand<T>& b) {
  p.packed = b.values;
  p.b_row = b.b_row;
  if (b.finite) return RunPacked(p);
  const hn::ScalableTag<T> d;
  for (int64_t i = 0; i < p.m; ++i) {
    const T* a = p.a + i * p.lda;
    T* c = p.c + i * p.ldc;
    ForVectors(d, p.n, [&](const auto& io, int64_t column) HWY_ATTR {
      auto sum = hn::Zero(d);
      for (int64_t r = 0; r < p.k; ++r) {
        const T weight = a[r * p.a_col];
        if (weight == T{0}) continue;
        sum = hn::MulAdd(hn::Set(d, weight), io.load(b.rows + r * b.row_stride + column), sum);
      }
      io.store(p.accumulate ? hn::Add(io.load(c + column), sum) : sum, c + column);
    });
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

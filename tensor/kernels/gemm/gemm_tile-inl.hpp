// SPDX-License-Identifier: MIT

// The register tile of all our products: C(i, j) = alpha * sum_p A(i, p) B(p, j) + beta * S(i, j) for a few rows and a
// few vectors of columns, where S is C itself or a bias in each row. Each element has one accumulator, which adds the
// terms in ascending order of p for every tile shape. So a row of C has the same bits for any number of rows, except in
// RunOneRow.

#include <hwy/cache_control.h>

#include <cstdint>

#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_GEMM_TILE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_GEMM_TILE_INL
#undef GRADUS_TENSOR_KERNELS_GEMM_TILE_INL
#else
#define GRADUS_TENSOR_KERNELS_GEMM_TILE_INL
#endif  // per target

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// One product as the tiles read it. B comes in panels two vectors wide: inside a panel, row p starts at p * b_row, and
/// the next panel starts b_panel after this one. A plain matrix has b_row = ldb and b_panel = two vectors.
template <class T>
struct TileProduct {
  int64_t m, n, k;
  T alpha, beta;
  const T* a;
  int64_t a_row, a_col;
  const T* b;
  int64_t b_row, b_panel;
  T* c;
  int64_t c_row;
  const T* s;
  int64_t s_row;
  bool resumes = false;  // starts the sums from C, so that p can run in several parts; needs alpha 1 and beta 0
};

// The machine has 16 or 32 vector registers, for accumulators, one row of B and one element of A.
inline constexpr int kTileRows = HWY_CAP_GE512 ? 8 : 6;

// A tile of few rows has more vectors per row, so that enough accumulators hide the latency of an FMA.
constexpr int tile_vectors(int rows) {
  const int accumulators = HWY_CAP_GE512 ? 16 : 12;
  return rows * 8 <= accumulators || rows == 1 ? 8 : rows * 4 <= accumulators ? 4 : 2;
}

/// Which part of the last vector of columns is used. A half has its own loads and stores, because a masked load in each
/// round costs a small product 5 % of its time.
enum class Last : uint8_t { whole, half, part };

template <Last kLast, class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> LoadLast(D d, const T* p, [[maybe_unused]] size_t count) {
  if constexpr (kLast == Last::whole) return hn::LoadU(d, p);
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kLast == Last::half) return hn::ZeroExtendVector(d, hn::LoadU(hn::Half<D>(), p));
#endif
  if constexpr (kLast == Last::part) return LoadPart(d, p, count);
}

template <Last kLast, class D, class T = hn::TFromD<D>>
HWY_INLINE void StoreLast(D d, hn::Vec<D> v, T* p, [[maybe_unused]] size_t count) {
  if constexpr (kLast == Last::whole) hn::StoreU(v, d, p);
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kLast == Last::half) hn::StoreU(hn::LowerHalf(hn::Half<D>(), v), hn::Half<D>(), p);
#endif
  if constexpr (kLast == Last::part) StorePart(d, v, p, count);
}

/// C = alpha * sums + beta * S.
template <int kRows, int kVectors, Last kLast, class D, class T = hn::TFromD<D>>
HWY_INLINE void StoreTile(D d, const TileProduct<T>& t, hn::Vec<D> (&acc)[kRows][kVectors], T* c, const T* s,
                          size_t last) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto alpha = hn::Set(d, t.alpha), beta = hn::Set(d, t.beta);
  const bool plain = t.alpha == T{1} && t.beta == T{0}, reads_s = t.beta != T{0};
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      T* at = c + i * t.c_row + v * lanes;
      const T* from = s + i * t.s_row + v * lanes;
      auto sum = acc[i][v];
      if (!plain) sum = hn::Mul(alpha, sum);
      if (v == kVectors - 1) {
        if (reads_s) sum = hn::MulAdd(beta, LoadLast<kLast>(d, from, last), sum);
        StoreLast<kLast>(d, sum, at, last);
      } else {
        if (reads_s) sum = hn::MulAdd(beta, hn::LoadU(d, from), sum);
        hn::StoreU(sum, d, at);
      }
    }
  }
}

/// Rows [0, kRows) of a, c and s, kVectors vectors of columns from panel `b` on; the last vector has `last` columns.
template <int kRows, int kVectors, Last kLast, class D, class T = hn::TFromD<D>>
HWY_INLINE void RunTile(D d, const TileProduct<T>& t, const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, T* c,
                        const T* s, size_t last) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V acc[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const T* at = c + i * t.c_row + v * lanes;
      if (!t.resumes) {
        acc[i][v] = hn::Zero(d);
        hwy::Prefetch(at);
      } else {
        acc[i][v] = v == kVectors - 1 ? LoadLast<kLast>(d, at, last) : hn::LoadU(d, at);
      }
    }
  }
  int64_t row_offset[kRows];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) row_offset[i] = i * t.a_row;
  const int64_t a_col = t.a_col, b_row = t.b_row, b_panel = t.b_panel;
#pragma GCC unroll 4
  for (int64_t p = t.k; p > 0; --p) {
    V row[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const T* at = b + (v / 2) * b_panel + (v % 2) * lanes;
      row[v] = v == kVectors - 1 ? LoadLast<kLast>(d, at, last) : hn::LoadU(d, at);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const V element = hn::Set(d, a[row_offset[i]]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) acc[i][v] = hn::MulAdd(element, row[v], acc[i][v]);
    }
    a += a_col;
    b += b_row;
  }
  StoreTile<kRows, kVectors, kLast>(d, t, acc, c, s, last);
}

/// kRows rows from row `i` on, and as many whole groups of kVectors vectors of columns as there are from `column` on.
/// Returns the column after them.
template <int kRows, int kVectors, class D, class T = hn::TFromD<D>>
HWY_INLINE int64_t RunFlatGroups(D d, const TileProduct<T>& t, int64_t i, int64_t column) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  if constexpr (kVectors <= tile_vectors(kRows)) {
    for (; column + kVectors * lanes <= t.n; column += kVectors * lanes) {
      const T* b = t.b + column / (2 * lanes) * t.b_panel;
      RunTile<kRows, kVectors, Last::whole>(d, t, t.a + i * t.a_row, b, t.c + i * t.c_row + column,
                                            t.s + i * t.s_row + column, 0);
    }
  }
  return column;
}

/// As many groups of kRows rows as there are from row `i` on, for kVectors vectors of columns from `column` on, which
/// start at `b` (the last one may be shorter). Returns the row after them.
template <int kRows, int kVectors, class D, class T = hn::TFromD<D>>
HWY_NOINLINE int64_t RunRows(D d, const TileProduct<T>& t, const T* b, int64_t column, int64_t i) {
  constexpr bool kHasHalf = hn::MaxLanes(d) * sizeof(T) > 16;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t last = t.n - column - (kVectors - 1) * lanes;
  const T* a = t.a + i * t.a_row;
  T* c = t.c + i * t.c_row + column;
  const T* s = t.s + i * t.s_row + column;
  for (; i + kRows <= t.m; i += kRows, a += kRows * t.a_row, c += kRows * t.c_row, s += kRows * t.s_row) {
    if (last >= lanes) {
      RunTile<kRows, kVectors, Last::whole>(d, t, a, b, c, s, 0);
    } else if (kHasHalf && 2 * last == lanes) {
      RunTile<kRows, kVectors, kHasHalf ? Last::half : Last::part>(d, t, a, b, c, s, static_cast<size_t>(last));
    } else {
      RunTile<kRows, kVectors, Last::part>(d, t, a, b, c, s, static_cast<size_t>(last));
    }
  }
  return i;
}

/// The rows from row `i` on in groups of four, two and one. A tile for each number of rows would take too long to
/// compile.
template <int kVectors, class D, class T = hn::TFromD<D>>
HWY_INLINE void RunFewRows(D d, const TileProduct<T>& t, const T* b, int64_t column, int64_t i) {
  if (i + 4 <= t.m) i = RunRows<4, kVectors>(d, t, b, column, i);
  if (i + 2 <= t.m) i = RunRows<2, kVectors>(d, t, b, column, i);
  if (i < t.m) RunRows<1, kVectors>(d, t, b, column, i);
}

/// All rows of at most one vector of columns, with the narrowest vector that holds these columns.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void RunNarrow(D d, const TileProduct<T>& t, const T* b, int64_t column) {
  if constexpr (hn::MaxLanes(d) * sizeof(T) > 16) {
    if (2 * (t.n - column) <= static_cast<int64_t>(hn::Lanes(d))) return RunNarrow(hn::Half<D>(), t, b, column);
  }
  RunFewRows<1>(d, t, b, column, RunRows<8, 1>(d, t, b, column, 0));
}

/// All rows of the columns of one panel, which stays in the first-level cache.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void RunPanel(D d, const TileProduct<T>& t, const T* b, int64_t column) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t left = t.n - column;
  if (left <= lanes) return RunNarrow(d, t, b, column);
  if constexpr (kTileRows == 6) {
    if (t.m % 6 == 2 && t.m > 6) {  // ends with 4 + 4 rows: 6 + 2 rows wait for the FMAs of the last two
      TileProduct<T> sixes = t;
      sixes.m = t.m - 8;
      RunRows<4, 2>(d, t, b, column, RunRows<6, 2>(d, sixes, b, column, 0));
      return;
    }
  }
  if constexpr (kTileRows == 8) {
    if (t.m % 4 == 2 && t.m > 8) {  // ends with 5 + 5 rows, or 5 + 5 + 4, for the same reason
      TileProduct<T> eights = t, fives = t;
      eights.m = t.m / 8 * 8 - 8;
      fives.m = eights.m + 10;
      RunFewRows<2>(d, t, b, column, RunRows<5, 2>(d, fives, b, column, RunRows<8, 2>(d, eights, b, column, 0)));
      return;
    }
  }
  RunFewRows<2>(d, t, b, column, RunRows<kTileRows, 2>(d, t, b, column, 0));
}

/// kRows rows of a flat product from row `i` on, all columns.
template <int kRows, class D, class T = hn::TFromD<D>>
HWY_NOINLINE void RunFlat(D d, const TileProduct<T>& t, int64_t i) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  TileProduct<T> rows = t;
  rows.m = i + kRows;
  int64_t column = RunFlatGroups<kRows, 8>(d, t, i, 0);
  column = RunFlatGroups<kRows, 6>(d, t, i, column);
  column = RunFlatGroups<kRows, 4>(d, t, i, column);
  for (; column < t.n; column += 2 * lanes) {
    const T* b = t.b + column / (2 * lanes) * t.b_panel;
    if (t.n - column <= lanes) {
      RunRows<kRows, 1>(d, rows, b, column, i);
    } else {
      RunRows<kRows, 2>(d, rows, b, column, i);
    }
  }
}

/// One row from `column` on, in kChains sums: term p belongs to sum p % kChains. The FMAs of one sum wait for each
/// other.
template <int kVectors, int kChains, Last kLast, class D, class T = hn::TFromD<D>>
HWY_INLINE void RunChains(D d, const TileProduct<T>& t, int64_t column, size_t last) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const T* HWY_RESTRICT b = t.b + column / (2 * lanes) * t.b_panel;
  V acc[kChains][kVectors];
#pragma GCC unroll 8
  for (int chain = 0; chain < kChains; ++chain) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) acc[chain][v] = hn::Zero(d);
  }
  const auto add = [&](V(&sums)[kVectors], int64_t p) HWY_ATTR {
    const V element = hn::Set(d, t.a[p * t.a_col]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const T* at = b + p * t.b_row + (v / 2) * t.b_panel + (v % 2) * lanes;
      sums[v] = hn::MulAdd(element, v == kVectors - 1 ? LoadLast<kLast>(d, at, last) : hn::LoadU(d, at), sums[v]);
    }
  };
  int64_t p = 0;
  for (; p + kChains <= t.k; p += kChains) {
#pragma GCC unroll 8
    for (int chain = 0; chain < kChains; ++chain) add(acc[chain], p + chain);
  }
  for (; p < t.k; ++p) add(acc[0], p);
  V sums[1][kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    sums[0][v] = acc[0][v];
#pragma GCC unroll 8
    for (int chain = 1; chain < kChains; ++chain) sums[0][v] = hn::Add(sums[0][v], acc[chain][v]);
  }
  StoreTile<1, kVectors, kLast>(d, t, sums, t.c + column, t.s + column, last);
}

/// A product of one row, with about eight sums at a time.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void RunOneRow(D d, const TileProduct<T>& t) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t column = RunFlatGroups<1, 8>(d, t, 0, 0);
  for (; column + 4 * lanes <= t.n; column += 4 * lanes) {
    RunChains<4, 2, Last::whole>(d, t, column, 0);
  }
  for (; column < t.n; column += 2 * lanes) {
    const int64_t left = t.n - column;
    if (left >= 2 * lanes) {
      RunChains<2, 4, Last::whole>(d, t, column, 0);
    } else if (left > lanes) {
      RunChains<2, 4, Last::part>(d, t, column, static_cast<size_t>(left - lanes));
    } else if (left == lanes) {
      RunChains<1, 4, Last::whole>(d, t, column, 0);
    } else {
      RunChains<1, 4, Last::part>(d, t, column, static_cast<size_t>(left));
    }
  }
}

/// The whole product on the calling thread.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void RunProduct(D d, const TileProduct<T>& t) {
  const int64_t width = 2 * static_cast<int64_t>(hn::Lanes(d));
  if (t.m >= kTileRows) {
    const T* b = t.b;
    for (int64_t column = 0; column < t.n; column += width, b += t.b_panel) {
      if (t.n - column > width && 2 * (t.n - column) <= 3 * width) return RunFewRows<3>(d, t, b, column, 0);
      RunPanel(d, t, b, column);
    }
    return;
  }
  int64_t i = 0;
  for (; i + 4 <= t.m; i += 4) RunFlat<4>(d, t, i);
  for (; i + 2 <= t.m; i += 2) RunFlat<2>(d, t, i);
  for (; i < t.m; ++i) RunFlat<1>(d, t, i);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

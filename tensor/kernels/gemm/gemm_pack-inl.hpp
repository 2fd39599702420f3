// SPDX-License-Identifier: MIT

// Packs B into panels two vectors wide: panel j / width holds rows 0 .. k - 1, with `width` elements each. The values
// in columns after n have no meaning.

#include <cstdint>

#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_GEMM_PACK_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_GEMM_PACK_INL
#undef GRADUS_TENSOR_KERNELS_GEMM_PACK_INL
#else
#define GRADUS_TENSOR_KERNELS_GEMM_PACK_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
struct PackSource {
  int64_t k, n;
  const T* b;
  int64_t row_stride, col_stride;
};

#if HWY_TARGET != HWY_SCALAR
/// Rows p .. of the columns j, j + kSide, j + 2 kSide, ... (kSide: the lanes of a 128-bit block), one column per block.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> LoadColumns(D d, const PackSource<T>& s, int64_t p, int64_t j) {
  constexpr int64_t kSide = 16 / sizeof(T);
  if constexpr (hn::MaxLanes(d) == kSide) {
    return hn::LoadU(d, s.b + j * s.col_stride + p);
  } else {
    const hn::Half<D> half;
    constexpr auto kHalf = static_cast<int64_t>(hn::MaxLanes(half));
    return hn::Combine(d, LoadColumns(half, s, p, j + kHalf), LoadColumns(half, s, p, j));
  }
}

/// to[i * width + l] = B(p + i, j + l) for the lanes l of d and i < kSide.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void Transpose(D d, const PackSource<T>& s, int64_t p, int64_t j, int64_t width, T* HWY_RESTRICT to) {
  if constexpr (sizeof(T) == 4) {
    const hn::Repartition<double, D> pairs;
    const auto c0 = LoadColumns(d, s, p, j), c1 = LoadColumns(d, s, p, j + 1);
    const auto c2 = LoadColumns(d, s, p, j + 2), c3 = LoadColumns(d, s, p, j + 3);
    const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, c0, c1));
    const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, c2, c3));
    const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, c0, c1));
    const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, c2, c3));
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23)), d, to);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23)), d, to + width);
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23)), d, to + 2 * width);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23)), d, to + 3 * width);
  } else {
    const auto c0 = LoadColumns(d, s, p, j), c1 = LoadColumns(d, s, p, j + 1);
    hn::StoreU(hn::InterleaveLower(d, c0, c1), d, to);
    hn::StoreU(hn::InterleaveUpper(d, c0, c1), d, to + width);
  }
}
#endif

// One panel of a B whose columns are contiguous (a transposed weight): whole vectors, then blocks, then the rest.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void PackColumns([[maybe_unused]] D d, const PackSource<T>& s, int64_t column, int64_t columns,
                            int64_t width, T* panel) {
  int64_t rows = 0, j = 0;
#if HWY_TARGET != HWY_SCALAR
  constexpr int64_t kSide = 16 / sizeof(T);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const hn::FixedTag<T, kSide> block;
  rows = s.k / kSide * kSide;
  for (; j + lanes <= columns; j += lanes) {
    for (int64_t p = 0; p < rows; p += kSide) Transpose(d, s, p, column + j, width, panel + p * width + j);
  }
  for (; j + kSide <= columns; j += kSide) {
    for (int64_t p = 0; p < rows; p += kSide) Transpose(block, s, p, column + j, width, panel + p * width + j);
  }
#endif
  const T* from = s.b + column * s.col_stride;
  for (int64_t p = 0; p < s.k; ++p) {
    for (int64_t i = p < rows ? j : 0; i < columns; ++i) panel[p * width + i] = from[i * s.col_stride + p];
  }
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void PackRows(D d, const PackSource<T>& s, int64_t column, int64_t columns, int64_t width, T* panel) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const T* from = s.b + column;
  if (columns == width) {
    for (int64_t p = 0; p < s.k; ++p, from += s.row_stride, panel += width) {
      hn::StoreU(hn::LoadU(d, from), d, panel);
      hn::StoreU(hn::LoadU(d, from + lanes), d, panel + lanes);
    }
    return;
  }
  for (int64_t p = 0; p < s.k; ++p, from += s.row_stride, panel += width) {
    for (int64_t j = 0; j < columns; j += lanes) {
      hn::StoreU(LoadPart(d, from + j, static_cast<size_t>(HWY_MIN(lanes, columns - j))), d, panel + j);
    }
  }
}

/// The panel of columns [column, column + width), or fewer at the end.
template <class D, class T = hn::TFromD<D>>
HWY_NOINLINE void PackPanel(D d, const PackSource<T>& s, int64_t column, T* panel) {
  const int64_t width = 2 * static_cast<int64_t>(hn::Lanes(d));
  const int64_t columns = s.n - column < width ? s.n - column : width;
  if (s.col_stride == 1) {
    PackRows(d, s, column, columns, width, panel);
  } else if (s.row_stride == 1) {
    PackColumns(d, s, column, columns, width, panel);
  } else {
    for (int64_t p = 0; p < s.k; ++p) {
      const T* from = s.b + p * s.row_stride + column * s.col_stride;
      for (int64_t j = 0; j < columns; ++j) panel[p * width + j] = from[j * s.col_stride];
    }
  }
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void PackPanels(D d, const PackSource<T>& s, T* packed) {
  const int64_t width = 2 * static_cast<int64_t>(hn::Lanes(d));
  for (int64_t column = 0; column < s.n; column += width, packed += s.k * width) PackPanel(d, s, column, packed);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

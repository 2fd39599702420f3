// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/gemm/gemm.cpp"
#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/common/ceil_div.hpp>
#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/kernels/gemm/gemm_large.hpp>
#include <gradus/tensor/kernels/gemm/gemm_pack-inl.hpp>
#include <gradus/tensor/kernels/gemm/gemm_packed-inl.hpp>
#include <gradus/tensor/kernels/gemm/gemm_tile-inl.hpp>
#include <gradus/tensor/kernels/gemm/long_sums.hpp>
#include <gradus/tensor/kernels/simd/lane_sums-inl.hpp>
#include <gradus/tensor/memory/allocator.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
void PackB(int64_t k, int64_t n, const T* b, int64_t row_stride, int64_t col_stride, T* packed) {
  PackPanels(hn::ScalableTag<T>(), PackSource<T>{k, n, b, row_stride, col_stride}, packed);
}

/// A product of length 0: C = beta * S, where S is C itself or, with s_row = 0, a bias.
template <class T>
void ScaleC(int64_t m, int64_t n, T beta, const T* s, int64_t s_row, T* c, int64_t c_row) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) c[i * c_row + j] = beta == T{0} ? T{0} : beta * s[i * s_row + j];
  }
}

template <class T>
void RunPacked(const PackedGemm<T>& p) {
  const hn::ScalableTag<T> d;
  const int64_t width = 2 * static_cast<int64_t>(hn::Lanes(d));
  if (p.m <= 0 || p.n <= 0) return;
  const T beta = p.accumulate || p.bias != nullptr ? T{1} : T{0};
  const T* s = p.bias != nullptr ? p.bias : p.c;
  const int64_t s_row = p.bias != nullptr ? 0 : p.ldc;
  if (p.k <= 0) return ScaleC(p.m, p.n, beta, s, s_row, p.c, p.ldc);
  const int64_t b_row = p.b_row > 0 ? p.b_row : width, b_panel = p.b_row > 0 ? width : p.k * width;
  TileProduct<T> tile{p.m, p.n, p.k, T{1}, beta, p.a, p.lda, p.a_col, p.packed, b_row, b_panel, p.c, p.ldc, s, s_row};
  tile.resumes = p.resumes;
  if (p.m == 1 && !p.in_order && !p.resumes) return RunOneRow(d, tile);
  // Splits k into parts, so that the part of a panel that all rows read stays in the first-level cache.
  constexpr int64_t kPart = 256;
  if (p.accumulate || p.m < 2 * kTileRows || p.k < 2 * kPart) return RunProduct(d, tile);
  for (int64_t first = 0; first < p.k; first += kPart) {
    tile.k = HWY_MIN(kPart, p.k - first);
    tile.beta = first + kPart < p.k ? T{0} : beta;
    tile.a = p.a + first * p.a_col;
    tile.b = p.packed + first * b_row;
    tile.resumes = p.resumes || first > 0;
    RunProduct(d, tile);
  }
}

template void RunPacked<float>(const PackedGemm<float>&);
template void RunPacked<double>(const PackedGemm<double>&);

/// c[j] = alpha * sum_p a[p] B(j, p) + beta * c[j] for one row of A and the rows of a transposed B. Here packing B
/// would cost more than the product.
template <class T>
void RunDots(const Gemm<T>& p) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t whole = p.k / lanes * lanes;
  const auto rest = static_cast<size_t>(p.k - whole);
  const auto a_rest = LoadPart(d, p.a + whole, rest);
  for (int64_t j = 0; j < p.n; j += 4) {
    // After the last row of B, that row is summed again.
    const T* b0 = p.b + j * p.ldb;
    const T* b1 = j + 1 < p.n ? b0 + p.ldb : b0;
    const T* b2 = j + 2 < p.n ? b1 + p.ldb : b1;
    const T* b3 = j + 3 < p.n ? b2 + p.ldb : b2;
    auto s0 = hn::Mul(a_rest, LoadPart(d, b0 + whole, rest)), s1 = hn::Mul(a_rest, LoadPart(d, b1 + whole, rest));
    auto s2 = hn::Mul(a_rest, LoadPart(d, b2 + whole, rest)), s3 = hn::Mul(a_rest, LoadPart(d, b3 + whole, rest));
    for (int64_t q = 0; q < whole; q += lanes) {
      const auto a = hn::LoadU(d, p.a + q);
      s0 = hn::MulAdd(a, hn::LoadU(d, b0 + q), s0);
      s1 = hn::MulAdd(a, hn::LoadU(d, b1 + q), s1);
      s2 = hn::MulAdd(a, hn::LoadU(d, b2 + q), s2);
      s3 = hn::MulAdd(a, hn::LoadU(d, b3 + q), s3);
    }
    T sums[4];
    StoreLaneSums(d, s0, s1, s2, s3, sums);
    const int64_t columns = std::min<int64_t>(4, p.n - j);
    for (int64_t i = 0; i < columns; ++i) {
      T& c = p.c[j + i];
      c = p.beta == T{0} ? p.alpha * sums[i] : p.alpha * sums[i] + p.beta * c;
    }
  }
}

/// The product on the calling thread; `panel` has room for one panel of B, or is null to read B without packing.
template <class T>
void RunBlock(const Gemm<T>& p, T* panel) {
  const hn::ScalableTag<T> d;
  const int64_t width = 2 * static_cast<int64_t>(hn::Lanes(d));
  TileProduct<T> tile;
  tile.m = p.m;
  tile.n = p.n;
  tile.k = p.k;
  tile.alpha = p.alpha;
  tile.beta = p.bias != nullptr ? T{1} : p.beta;
  tile.a = p.a;
  tile.a_row = p.trans_a ? 1 : p.lda;
  tile.a_col = p.trans_a ? p.lda : 1;
  tile.c = p.c;
  tile.c_row = p.ldc;
  tile.s = p.bias != nullptr ? p.bias : p.c;
  tile.s_row = p.bias != nullptr ? 0 : p.ldc;
  if (panel == nullptr) {
    tile.b = p.b;
    tile.b_row = p.ldb;
    tile.b_panel = width;
    return RunProduct(d, tile);
  }
  // Splits k into parts, so that the part of A that all panels read fits the second-level cache.
  constexpr int64_t kPart = 256;
  const bool in_parts = p.alpha == T{1} && p.beta == T{0};
  const T beta = tile.beta;
  tile.b_row = width;
  int64_t first = 0;
  do {
    tile.beta = in_parts && first + kPart < p.k ? T{0} : beta;
    tile.k = in_parts ? HWY_MIN(kPart, p.k - first) : p.k;
    tile.a = p.a + first * tile.a_col;
    const T* b = p.b + first * (p.trans_b ? 1 : p.ldb);
    const PackSource<T> source{tile.k, p.n, b, p.trans_b ? 1 : p.ldb, p.trans_b ? p.ldb : 1};
    for (int64_t column = 0; column < p.n; column += width) {
      PackPanel(d, source, column, panel);
      RunPanel(d, tile, panel, column);
    }
    first += tile.k;
    tile.resumes = true;
  } while (first < p.k);
}

/// Products [begin, end) of the batch, by dot products if `dots`.
template <class T>
void RunBatch(const BatchedGemm<T>& batch, int64_t begin, int64_t end, bool dots, T* panel) {
  Gemm<T> p = batch.item;
  for (int64_t i = begin; i < end; ++i) {
    p.a = batch.item.a + i * batch.stride_a;
    p.b = batch.item.b + i * batch.stride_b;
    p.c = batch.item.c + i * batch.stride_c;
    if (p.k <= 0) {
      ScaleC(p.m, p.n, p.beta, p.c, p.ldc, p.c, p.ldc);
    } else if (dots) {
      RunDots(p);
    } else {
      RunBlock(p, panel);
    }
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

// The multiply-adds of one block of a large product or of a batch: about 20 us.
constexpr int64_t kBlockWork = int64_t{1} << 20;
// The elements of a task that only copies.
constexpr int64_t kCopyWork = int64_t{1} << 15;
// The least number of rows in a block: B is packed again for each block of rows.
constexpr int64_t kBlockRows = 256;

constexpr int64_t round_up(int64_t n, int64_t multiple) { return ceil_div(n, multiple) * multiple; }

template <class T>
constexpr int64_t kPanelWidth = 128 / sizeof(T);  // two of the widest vectors

// Without packing, B is read fast as long as its rows stay in the caches for the few row tiles that use them.
template <class T>
bool packs_panels(const Gemm<T>& p) {
  return p.trans_b || (p.k >= 192 && p.m > 64);
}

// Beyond this, run_cut is slower than OpenBLAS on some machines (by 15 % at 1024 on a Sapphire Rapids). With AVX-512
// it is 1 to 5 % faster at 640 (Zen 5).
double blas_work() {
  const bool avx512 = HWY_STATIC_TARGET <= HWY_AVX3 || simd_level.load(std::memory_order_relaxed) == 2;
  const double side = avx512 ? 700.0 : 600.0;
  return side * side * side;
}

// Our kernels for a baseline without vectors are much slower than OpenBLAS. NEON has vectors and FMA: there we choose
// as with AVX2, which was not timed.
bool has_vectors() {
  constexpr bool kPlainBaseline = HWY_STATIC_TARGET > HWY_AVX2 && !HWY_ARCH_ARM;
  return !kPlainBaseline || simd_level.load(std::memory_order_relaxed) != 0;
}

// This decides for a whole product, never for a block of it. Below blas_work() our kernels are 3 to 40 % faster, but
// they do not pack A: with a long transposed A each step reads a new page.
template <class T>
bool uses_blas(const Gemm<T>& p) {
  const double work = static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  if (p.k <= 0 || work <= static_cast<double>(kBlockWork) / 16) return false;
  if (std::max({p.m, p.n, p.k, p.lda, p.ldb, p.ldc}) > INT32_MAX) return false;  // it counts in 32 bits
  return !has_vectors() || (p.trans_a && p.k > 1024) || (work > blas_work() && p.m >= 64 && p.n >= 64);
}

// For gemm_large. With fewer rows, packing B costs as much as it saves; smaller products have no use for it.
template <class T>
bool uses_large(const Gemm<T>& p) {
  const double work = static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  const bool plain = !p.trans_a && p.alpha == T{1} && p.beta == T{0};
  return has_vectors() && plain && p.m >= 256 && p.k <= kLargestSum && work > 64.0 * kBlockWork;
}

template <class T>
Gemm<T> batch_item(const BatchedGemm<T>& batch, int64_t i) {
  Gemm<T> p = batch.item;
  p.a += i * batch.stride_a;
  p.b += i * batch.stride_b;
  p.c += i * batch.stride_c;
  return p;
}

// This decides for a whole product, never for a block, which may have one row by chance.
template <class T>
bool is_dots(const Gemm<T>& p) {
  return p.m == 1 && p.trans_b && (!p.trans_a || p.lda == 1);
}

// Decisions for a whole product, which all its blocks use.
struct Way {
  bool large;
  bool blas;
  bool dots;
};

template <class T>
Way way_of(const Gemm<T>& p) {
  const bool large = uses_large(p);
  return {large, !large && uses_blas(p), is_dots(p)};
}

template <class T>
void run_batch(const BatchedGemm<T>& batch, int64_t begin, int64_t end, Way way) {
  const Gemm<T>& p = batch.item;
  if (way.large) {
    for (int64_t i = begin; i < end; ++i) gemm_large(batch_item(batch, i));
  } else if (way.blas) {
    for (int64_t i = begin; i < end; ++i) blas_gemm(batch_item(batch, i));
  } else if (packs_panels(p) && !way.dots) {
    detail::Scratch scratch(static_cast<size_t>(p.k * kPanelWidth<T>) * sizeof(T));
    GRADUS_SIMD(RunBatch<T>)(batch, begin, end, way.dots, scratch.as<T>());
  } else {
    GRADUS_SIMD(RunBatch<T>)(batch, begin, end, way.dots, static_cast<T*>(nullptr));
  }
}

// How C is cut into blocks of `rows` x `columns`; only the last block in each direction may be smaller.
struct Cut {
  int64_t rows, columns, across;
};

template <class T>
Cut cut_product(const Gemm<T>& p) {
  if (uses_blas(p)) {
    // Each block packs its part of A and of B again, so there are few large blocks, but at least two.
    const int64_t pieces = std::max<int64_t>(2, std::max(p.m, p.n) / (3 * kBlockRows));
    if (p.m >= p.n) return {round_up(ceil_div(p.m, pieces), 16), p.n, 1};
    const int64_t columns = round_up(ceil_div(p.n, pieces), 16);
    return {p.m, columns, ceil_div(p.n, columns)};
  }
  int64_t rows = p.m < 2 * kBlockRows ? p.m : round_up(ceil_div(p.m, p.m / kBlockRows), 8);
  const int64_t panels = ceil_div(p.n, kPanelWidth<T>), panel_work = kPanelWidth<T> * p.k;
  // Panels in one block share the part of A in the second-level cache, but having eight blocks is more important.
  const int64_t shared = std::min({p.k / 128, int64_t{8}, ceil_div(panels * ceil_div(p.m, rows), 8)});
  const int64_t columns = kPanelWidth<T> * std::max(ceil_div(kBlockWork, rows * panel_work), shared);
  const int64_t across = ceil_div(p.n, columns);
  while (ceil_div(p.m, rows) * across < 4 && rows >= 96 && rows * std::min(p.n, columns) * p.k > 2 * kBlockWork) {
    rows = round_up(rows / 2, 8);
  }
  return {rows, columns, across};
}

template <class T>
void run_cut(const Gemm<T>& p) {
  const Cut cut = cut_product(p);
  const Way way = way_of(p);
  const auto run_blocks = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / cut.across * cut.rows, column = i % cut.across * cut.columns;
      run_batch(BatchedGemm<T>{block_of(p, row, column, cut.rows, cut.columns), 1, 0, 0, 0}, 0, 1, way);
    }
  };
  parallel_for(ceil_div(p.m, cut.rows) * cut.across, run_blocks, 1);
}

// The same product for the ways that can only add C.
template <class T>
Gemm<T> with_bias_in_c(const Gemm<T>& p) {
  const auto copy_rows = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(p.bias, p.n, p.c + i * p.ldc);
  };
  parallel_for(p.m, copy_rows, ceil_div(kCopyWork, p.n));
  Gemm<T> added = p;
  added.bias = nullptr;
  added.beta = T{1};
  return added;
}

constexpr int64_t kBlasSide = 128;

// Computes p in parts when its sums would lose digits otherwise; returns whether it did.
bool run_long(const Gemm<double>& /*p*/) { return false; }
bool run_long(const Gemm<float>& p) {
  if (p.k <= kLongSum) return false;
  // For a small C, a call of OpenBLAS for each part costs more than its products. Its sums also depend on the number
  // of rows and columns, those of our kernels do not.
  const Way way = {false, std::min(p.m, p.n) >= kBlasSide && uses_blas(p), is_dots(p)};
  long_sums(p, [way](const Gemm<float>& part) { run_batch(BatchedGemm<float>{part, 1, 0, 0, 0}, 0, 1, way); });
  return true;
}

}  // namespace

template <class T>
void gemm(const Gemm<T>& p) {
  if (p.m <= 0 || p.n <= 0) return;
  const Way way = way_of(p);
  const bool adds_c = p.k <= 0 || way.blas || way.dots || (sizeof(T) == sizeof(float) && p.k > kLongSum);
  if (p.bias != nullptr && adds_c) return gemm(with_bias_in_c(p));
  if (run_long(p)) return;
  if (way.large || p.m * p.n * p.k <= 2 * kBlockWork) {
    run_batch(BatchedGemm<T>{p, 1, 0, 0, 0}, 0, 1, way);
  } else {
    run_cut(p);
  }
}

template <class T>
void batched_gemm(const BatchedGemm<T>& batch) {
  const Gemm<T>& p = batch.item;
  if (p.m <= 0 || p.n <= 0 || batch.batch <= 0) return;
  if (batch.batch == 1) return gemm(p);
  if (sizeof(T) == sizeof(float) && p.k > kLongSum) {
    for (int64_t i = 0; i < batch.batch; ++i) gemm(batch_item(batch, i));
    return;
  }
  const int64_t grain = std::max<int64_t>(1, kBlockWork / std::max<int64_t>(1, p.m * p.n * p.k));
  const Way way = way_of(p);
  parallel_for(
      batch.batch, [&](int64_t begin, int64_t end) { run_batch(batch, begin, end, way); }, grain);
}

template <class T>
int64_t packed_b_size(int64_t k, int64_t n) {
  return k * round_up(n, kPanelWidth<T>);
}

template <class T>
void pack_b(int64_t k, int64_t n, const T* b, int64_t row_stride, int64_t col_stride, T* packed) {
  if (k > 0 && n > 0) GRADUS_SIMD(PackB<T>)(k, n, b, row_stride, col_stride, packed);
}

template <class T>
void gemm_packed(const PackedGemm<T>& p) {
  GRADUS_SIMD(RunPacked<T>)(p);
}

GRADUS_FLOAT_AND_DOUBLE(gemm)
GRADUS_FLOAT_AND_DOUBLE(batched_gemm)
GRADUS_FLOAT_AND_DOUBLE(packed_b_size)
GRADUS_FLOAT_AND_DOUBLE(pack_b)
GRADUS_FLOAT_AND_DOUBLE(gemm_packed)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

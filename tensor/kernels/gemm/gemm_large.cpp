// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/gemm/gemm_large.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/common/ceil_div.hpp>
#include <gradus/tensor/kernels/common/instances.hpp>
#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/kernels/gemm/long_sums.hpp>
#include <gradus/tensor/memory/allocator.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::kernels {
namespace {

// The sums run in parts of k. A part of a block of rows of A stays in the second-level cache while all of B passes by.
constexpr int64_t kPart = 256;
constexpr int64_t kRows = 128;
// So much of B is packed at once: it stays in the third-level cache.
constexpr int64_t kPackedBytes = int64_t{4} << 20;
// B is packed in pieces of a part of k and so many columns, and a task packs so many pieces.
constexpr int64_t kPieceColumns = 256, kPieces = 4;

// The size of equal shares of n: at most `most`, then rounded up to a multiple of `multiple`.
int64_t even_share(int64_t n, int64_t most, int64_t multiple) {
  return ceil_div(ceil_div(n, ceil_div(n, most)), multiple) * multiple;
}

// One block of columns of the product. Part number i of its packed B starts at packed + i * kPart * width.
template <class T>
struct LargeBlock {
  Gemm<T> p;
  T* packed;
  int64_t width;
};

template <class T>
void pack_block(const LargeBlock<T>& block) {
  const Gemm<T>& p = block.p;
  const int64_t pieces = ceil_div(p.n, kPieceColumns);
  const auto pack_pieces = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / pieces * kPart, column = i % pieces * kPieceColumns, k = std::min(kPart, p.k - first);
      const T* b = p.b + (p.trans_b ? column * p.ldb + first : first * p.ldb + column);
      pack_b(k, std::min(kPieceColumns, p.n - column), b, p.trans_b ? 1 : p.ldb, p.trans_b ? p.ldb : 1,
             block.packed + first * block.width + column * k);
    }
  };
  parallel_for(ceil_div(p.k, kPart) * pieces, pack_pieces, kPieces);
}

// The rows [row, row + rows) of the block, at most kRows.
template <class T>
void run_rows(const LargeBlock<T>& block, int64_t row, int64_t rows) {
  const Gemm<T> p = block_of(block.p, row, 0, rows, block.p.n);
  PackedGemm<T> part{.m = p.m, .n = p.n, .lda = p.lda, .c = p.c, .ldc = p.ldc, .in_order = true};
  for (int64_t first = 0; first < p.k; first += kPart) {
    part.k = std::min(kPart, p.k - first);
    part.packed = block.packed + first * block.width;
    part.resumes = first > 0;
    if (first + kPart >= p.k) part.bias = p.bias;
    part.a = p.a + first;
    gemm_packed(part);
  }
}

}  // namespace

template <class T>
void gemm_large(const Gemm<T>& p) {
  const int64_t panel = packed_b_size<T>(1, 1);
  const int64_t packed_columns = kPackedBytes / static_cast<int64_t>(sizeof(T)) / p.k;
  const int64_t columns = even_share(p.n, std::max(packed_columns, 2 * panel), panel);
  const int64_t rows = even_share(p.m, kRows, 8);
  detail::Scratch packed(static_cast<size_t>(p.k * columns) * sizeof(T));
  for (int64_t column = 0; column < p.n; column += columns) {
    const LargeBlock<T> block{block_of(p, 0, column, p.m, columns), packed.as<T>(), columns};
    pack_block(block);
    const auto run_blocks = [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) run_rows(block, i * rows, rows);
    };
    parallel_for(ceil_div(p.m, rows), run_blocks, 1);
  }
}

GRADUS_FLOAT_AND_DOUBLE(gemm_large)

}  // namespace gradus::kernels

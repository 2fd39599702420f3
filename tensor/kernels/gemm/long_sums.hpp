// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include <gradus/tensor/kernels/gemm/blas.hpp>

namespace gradus::kernels {

/// A sum in f32 of more products than this loses digits, and stops growing at 2^24 times one product.
inline constexpr int64_t kLongSum = 4096;
/// The products of one part, which is summed in f32. The parts are added in f64.
inline constexpr int64_t kSumPart = 512;

/// The product p with sums of parts: `product` sums 512 products in f32 on the calling thread, and the parts are
/// added in f64. Runs on several threads, with the same bits for any number of them.
void long_sums(const Gemm<float>& p, const std::function<void(const Gemm<float>&)>& product);

/// The part of the product p that computes the block of C from (row, column) on, at most `rows` x `columns`.
template <class T>
Gemm<T> block_of(const Gemm<T>& p, int64_t row, int64_t column, int64_t rows, int64_t columns) {
  Gemm<T> block = p;
  block.m = std::min(rows, p.m - row);
  block.n = std::min(columns, p.n - column);
  block.a += row * (p.trans_a ? 1 : p.lda);
  block.b += column * (p.trans_b ? p.ldb : 1);
  block.c += row * p.ldc + column;
  if (p.bias != nullptr) block.bias += column;
  return block;
}

}  // namespace gradus::kernels

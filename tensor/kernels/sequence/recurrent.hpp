// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>

#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/kernels/sequence/sequence_plan.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

// The common parts of the recurrent kernels (GRU, LSTM, RNN). Rows are cut into chunks, and each chunk goes through all
// steps on one thread; recurrent-inl.hpp has the loops over the steps.

namespace gradus::kernels {

/// The place (row, step) of row i of a chunk in arrays [B, T, ..]. `reverse` starts at the last valid step.
inline int64_t cell_at(const SequencePlan::Chunk& chunk, int64_t i, int64_t step, int64_t time, bool reverse) {
  return chunk.rows[i] * time + (reverse ? chunk.lengths[i] - 1 - step : step);
}

/// Calls run(number, chunk) for each chunk, on several threads.
template <class Run>
void for_chunks(const SequencePlan& plan, const Run& run) {
  const auto run_chunks = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) run(i, plan.chunk(i));
  };
  parallel_for(plan.chunks(), run_chunks, plan.grain());
}

/// to [rows, width] = the chunk's rows of `from` [B, width]; 0 when `from` is null.
template <class T>
void gather_rows(const SequencePlan::Chunk& chunk, const T* from, int64_t width, T* to) {
  if (from == nullptr) {
    std::fill_n(to, chunk.count * width, T{0});
    return;
  }
  for (int64_t i = 0; i < chunk.count; ++i) std::copy_n(from + chunk.rows[i] * width, width, to + i * width);
}

/// The chunk's rows of `to` [B, width] = from [rows, width]; nothing when `to` is null.
template <class T>
void scatter_rows(const SequencePlan::Chunk& chunk, const T* from, int64_t width, T* to) {
  for (int64_t i = 0; i < chunk.count && to != nullptr; ++i) {
    std::copy_n(from + i * width, width, to + chunk.rows[i] * width);
  }
}

/// Sets `array` [B, T, width] to 0 after the lengths of the chunk's rows; nothing when it is null.
template <class T>
void clear_padding(const SequencePlan::Chunk& chunk, int64_t time, int64_t width, T* array) {
  for (int64_t i = 0; i < chunk.count && array != nullptr; ++i) {
    const int64_t valid = chunk.rows[i] * time + chunk.lengths[i], end = (chunk.rows[i] + 1) * time;
    std::fill(array + valid * width, array + end * width, T{0});
  }
}

/// A matrix [cells, width] with rows `stride` apart: an entry for each valid cell of a sequence.
template <class T>
struct CellRows {
  const T* data;
  int64_t width;
  int64_t stride;
};

/// dW [left.width, right.width] = left^T right, the sum over all valid cells in one product.
template <class T>
void weight_derivative(int64_t cells, const CellRows<T>& left, const CellRows<T>& right, T* out) {
  Gemm<T> product{.trans_a = true, .m = left.width, .n = right.width, .k = cells};
  product.a = left.data;
  product.lda = left.stride;
  product.b = right.data;
  product.ldb = right.stride;
  product.c = out;
  product.ldc = right.width;
  gemm(product);
}

}  // namespace gradus::kernels

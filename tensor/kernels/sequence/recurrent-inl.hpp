// SPDX-License-Identifier: MIT

// The loops of the recurrent kernels over the steps of one chunk, and the cell of an RNN. In a chunk, the rows that
// still run at a step come first.

#include <cstdint>

#include <gradus/tensor/kernels/sequence/sequence_plan.hpp>
#include <gradus/tensor/kernels/simd/simd_math-inl.hpp>
#include <gradus/tensor/kernels/simd/vectors-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_RECURRENT_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_RECURRENT_INL
#undef GRADUS_TENSOR_KERNELS_RECURRENT_INL
#else
#define GRADUS_TENSOR_KERNELS_RECURRENT_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// Calls run(active, step) for each step: the first `active` rows take it.
template <class Run>
void ForSteps(const SequencePlan::Chunk& chunk, const Run& run) {
  int64_t active = chunk.count;
  for (int64_t step = 0; active > 0; ++step) {
    while (active > 0 && chunk.lengths[active - 1] <= step) --active;
    if (active > 0) run(active, step);
  }
}

/// Calls run(active, step, kept) for each step, the last one first. With `keeps`, the step's cells start at `kept`
/// among all valid cells of the chunk, which are in the order of the steps; otherwise `kept` is 0.
template <class Run>
void ForStepsBack(const SequencePlan::Chunk& chunk, bool keeps, const Run& run) {
  int64_t active = 0, kept = keeps ? chunk.cells : 0;
  for (int64_t step = chunk.count > 0 ? chunk.lengths[0] - 1 : -1; step >= 0; --step) {
    while (active < chunk.count && chunk.lengths[active] > step) ++active;
    if (keeps) kept -= active;
    run(active, step, kept);
  }
}

/// sum[j] += sum_i a[i, j] for a [rows, columns].
template <class T>
void AddRows(const T* a, int64_t rows, int64_t columns, T* sum) {
  const hn::ScalableTag<T> d;
  ForVectors(d, columns, [&](const auto& io, int64_t j) HWY_ATTR {
    auto total = io.load(sum + j);
    for (int64_t i = 0; i < rows; ++i) total = hn::Add(total, io.load(a + i * columns + j));
    io.store(total, sum + j);
  });
}

template <class D, class V>
HWY_INLINE V SumOf3(D, V a, V b, V c) {
  return hn::Add(a, hn::Add(b, c));
}

/// One row of one step of an RNN (formula: rnn.hpp).
template <class T>
struct RnnForwardRow {
  const T* x;         // [H]
  const T* products;  // [H]: W_hh h
  const T* bias;      // [H]
  T* h;               // [H]: the state, overwritten by the new one
  T* y;               // [H]: the same
};

template <bool kRelu, class D, class T = hn::TFromD<D>>
struct RnnForward {
  D d;
  RnnForwardRow<T> row;
  template <class IO>
  HWY_INLINE void operator()(const IO& io, int64_t j) const {
    const auto a = SumOf3(d, io.load(row.x + j), io.load(row.products + j), io.load(row.bias + j));
    const auto next = [&]() HWY_ATTR {
      if constexpr (kRelu) return hn::IfThenZeroElse(hn::Le(a, hn::Zero(d)), a);  // NaN stays NaN
      return Tanh(d, a);
    }();
    io.store(next, row.h + j);
    io.store(next, row.y + j);
  }
};

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

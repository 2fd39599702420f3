// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/sequence/gru_forward.cpp"
#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/kernels/gemm/gemm_packed-inl.hpp>
#include <gradus/tensor/kernels/sequence/gru.hpp>
#include <gradus/tensor/kernels/sequence/gru_cell-inl.hpp>
#include <gradus/tensor/kernels/sequence/recurrent-inl.hpp>
#include <gradus/tensor/kernels/sequence/recurrent.hpp>
#include <gradus/tensor/memory/allocator.hpp>

#ifndef GRADUS_TENSOR_KERNELS_GRU_FORWARD_TASK
#define GRADUS_TENSOR_KERNELS_GRU_FORWARD_TASK
namespace gradus::kernels {

/// One chunk of rows through all steps.
template <class T>
struct GruForwardTask {
  GruSequence<T> in;
  GruResults<T> out;
  const T* packed = nullptr;        // W_hh^T [H, 3H], or its first 2H columns when reset comes before the product
  const T* packed_reset = nullptr;  // the same case: W_hn^T [H, H]
  SequencePlan::Chunk chunk{};
  T* h = nullptr;         // [rows, H]
  T* products = nullptr;  // [rows, 3H]
  T* reset = nullptr;     // [rows, H]
  T* gates = nullptr;     // [rows, 4H], used when the caller does not keep the gates
};

}  // namespace gradus::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
GruForwardRow<T> ForwardRow(const GruForwardTask<T>& task, int64_t i, int64_t step) {
  const GruSequence<T>& in = task.in;
  const int64_t hidden = in.hidden, cell = cell_at(task.chunk, i, step, in.time, in.reverse);
  return {hidden,
          in.gates_x + cell * 3 * hidden,
          task.products + i * 3 * hidden,
          in.b_hh,
          task.h + i * hidden,
          task.out.y + cell * hidden,
          task.out.gates != nullptr ? task.out.gates + cell * 4 * hidden : task.gates + i * 4 * hidden,
          task.reset + i * hidden};
}

template <class T>
void GruStepAfter(const GruForwardTask<T>& task, int64_t active, int64_t step) {
  const hn::ScalableTag<T> d;
  const int64_t hidden = task.in.hidden;
  RunPacked(PackedGemm<T>{active, 3 * hidden, hidden, task.h, hidden, task.packed, task.products, 3 * hidden, false});
  for (int64_t i = 0; i < active; ++i) {
    ForVectors(d, hidden, GruForwardAfter<decltype(d)>{d, ForwardRow(task, i, step)});
  }
}

template <class T>
void GruStepBefore(const GruForwardTask<T>& task, int64_t active, int64_t step) {
  const hn::ScalableTag<T> d;
  const int64_t hidden = task.in.hidden, stride = 3 * hidden;
  RunPacked(PackedGemm<T>{active, 2 * hidden, hidden, task.h, hidden, task.packed, task.products, stride, false});
  for (int64_t i = 0; i < active; ++i) {
    ForVectors(d, hidden, GruForwardReset<decltype(d)>{d, ForwardRow(task, i, step)});
  }
  RunPacked(PackedGemm<T>{active, hidden, hidden, task.reset, hidden, task.packed_reset, task.products, stride, false});
  for (int64_t i = 0; i < active; ++i) {
    ForVectors(d, hidden, GruForwardBefore<decltype(d)>{d, ForwardRow(task, i, step)});
  }
}

template <class T>
void RunGruForward(const GruForwardTask<T>& task) {
  ForSteps(task.chunk, [&](int64_t active, int64_t step) HWY_ATTR {
    task.in.reset_after ? GruStepAfter(task, active, step) : GruStepBefore(task, active, step);
  });
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

template <class T>
void run_gru_chunk(GruForwardTask<T> task) {
  const int64_t hidden = task.in.hidden, time = task.in.time, rows = task.chunk.count;
  const bool keeps_gates = task.out.gates != nullptr;
  detail::Scratch scratch(static_cast<size_t>(rows * hidden * (keeps_gates ? 5 : 9)) * sizeof(T));
  task.h = scratch.as<T>();
  task.products = task.h + rows * hidden;
  task.reset = task.products + rows * 3 * hidden;
  task.gates = keeps_gates ? nullptr : task.reset + rows * hidden;
  gather_rows(task.chunk, task.in.h0, hidden, task.h);
  GRADUS_SIMD(RunGruForward<T>)(task);
  scatter_rows(task.chunk, task.h, hidden, task.out.h_n);
  clear_padding(task.chunk, time, hidden, task.out.y);
  clear_padding(task.chunk, time, 4 * hidden, task.out.gates);
}

}  // namespace

template <class T>
void gru_forward(const GruSequence<T>& in, const GruResults<T>& out) {
  const int64_t hidden = in.hidden;
  if (in.batch <= 0 || hidden <= 0) return;
  const SequencePlan plan(in.batch, in.time, hidden, in.lengths, in.time * hidden * 3 * hidden);
  const int64_t together = in.reset_after ? 3 * hidden : 2 * hidden, apart = 3 * hidden - together;
  const int64_t size = packed_b_size<T>(hidden, together);
  detail::Scratch packed(static_cast<size_t>(size + packed_b_size<T>(hidden, apart)) * sizeof(T));
  T* packed_reset = packed.as<T>() + size;
  pack_b(hidden, together, in.w_hh, 1, hidden, packed.as<T>());
  pack_b(hidden, apart, in.w_hh + together * hidden, 1, hidden, packed_reset);
  const GruForwardTask<T> task{.in = in, .out = out, .packed = packed.as<T>(), .packed_reset = packed_reset};
  for_chunks(plan, [&](int64_t, const SequencePlan::Chunk& chunk) {
    GruForwardTask<T> own = task;
    own.chunk = chunk;
    run_gru_chunk(own);
  });
}

GRADUS_FLOAT_AND_DOUBLE(gru_forward)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

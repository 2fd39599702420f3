// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/sequence/lstm_forward.cpp"
#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/kernels/gemm/gemm_packed-inl.hpp>
#include <gradus/tensor/kernels/sequence/lstm.hpp>
#include <gradus/tensor/kernels/sequence/lstm_cell-inl.hpp>
#include <gradus/tensor/kernels/sequence/recurrent-inl.hpp>
#include <gradus/tensor/kernels/sequence/recurrent.hpp>
#include <gradus/tensor/memory/allocator.hpp>

#ifndef GRADUS_TENSOR_KERNELS_LSTM_FORWARD_TASK
#define GRADUS_TENSOR_KERNELS_LSTM_FORWARD_TASK
namespace gradus::kernels {

/// One chunk of rows through all steps.
template <class T>
struct LstmForwardTask {
  LstmSequence<T> in;
  LstmResults<T> out;
  const T* packed = nullptr;             // W_hh^T [S, 4H]
  const T* packed_projection = nullptr;  // W_hr^T [H, S]
  SequencePlan::Chunk chunk{};
  T* h = nullptr;         // [rows, S]
  T* c = nullptr;         // [rows, H]
  T* products = nullptr;  // [rows, 4H]
  T* before = nullptr;    // [rows, H], with a projection: o * tanh(c')
};

}  // namespace gradus::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
void LstmStep(const LstmForwardTask<T>& task, int64_t active, int64_t step) {
  const hn::ScalableTag<T> d;
  const LstmSequence<T>& in = task.in;
  const int64_t hidden = in.hidden, state = in.state;
  const bool projects = in.w_hr != nullptr;
  RunPacked(PackedGemm<T>{active, 4 * hidden, state, task.h, state, task.packed, task.products, 4 * hidden, false});
  for (int64_t i = 0; i < active; ++i) {
    const int64_t cell = cell_at(task.chunk, i, step, in.time, in.reverse);
    const LstmForwardRow<T> row{hidden,
                                in.gates_x + cell * 4 * hidden,
                                task.products + i * 4 * hidden,
                                in.b_hh,
                                task.c + i * hidden,
                                (projects ? task.before : task.h) + i * hidden,
                                projects ? nullptr : task.out.y + cell * hidden,
                                shifted(task.out.gates, cell * 5 * hidden)};
    ForVectors(d, hidden, LstmForward<decltype(d)>{d, row});
  }
  if (!projects) return;
  RunPacked(PackedGemm<T>{active, state, hidden, task.before, hidden, task.packed_projection, task.h, state, false});
  for (int64_t i = 0; i < active; ++i) {
    const int64_t cell = cell_at(task.chunk, i, step, in.time, in.reverse);
    std::copy_n(task.h + i * state, state, task.out.y + cell * state);
  }
}

template <class T>
void RunLstmForward(const LstmForwardTask<T>& task) {
  ForSteps(task.chunk, [&](int64_t active, int64_t step) HWY_ATTR { LstmStep(task, active, step); });
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

template <class T>
void run_lstm_chunk(LstmForwardTask<T> task) {
  const int64_t hidden = task.in.hidden, state = task.in.state, time = task.in.time, rows = task.chunk.count;
  const int64_t before = task.in.w_hr != nullptr ? hidden : 0;
  detail::Scratch scratch(static_cast<size_t>(rows * (state + 5 * hidden + before)) * sizeof(T));
  task.h = scratch.as<T>();
  task.c = task.h + rows * state;
  task.products = task.c + rows * hidden;
  task.before = task.products + rows * 4 * hidden;
  gather_rows(task.chunk, task.in.h0, state, task.h);
  gather_rows(task.chunk, task.in.c0, hidden, task.c);
  GRADUS_SIMD(RunLstmForward<T>)(task);
  scatter_rows(task.chunk, task.h, state, task.out.h_n);
  scatter_rows(task.chunk, task.c, hidden, task.out.c_n);
  clear_padding(task.chunk, time, state, task.out.y);
  clear_padding(task.chunk, time, 5 * hidden, task.out.gates);
}

}  // namespace

template <class T>
void lstm_forward(const LstmSequence<T>& in, const LstmResults<T>& out) {
  const int64_t hidden = in.hidden, state = in.state;
  if (in.batch <= 0 || hidden + state <= 0) return;
  const bool projects = in.w_hr != nullptr;
  const SequencePlan plan(in.batch, in.time, hidden, in.lengths, in.time * state * (4 + projects) * hidden);
  const int64_t size = packed_b_size<T>(state, 4 * hidden);
  detail::Scratch packed(static_cast<size_t>(size + (projects ? packed_b_size<T>(hidden, state) : 0)) * sizeof(T));
  pack_b(state, 4 * hidden, in.w_hh, 1, state, packed.as<T>());
  if (projects) pack_b(hidden, state, in.w_hr, 1, hidden, packed.as<T>() + size);
  const LstmForwardTask<T> task{
      .in = in, .out = out, .packed = packed.as<T>(), .packed_projection = packed.as<T>() + size};
  for_chunks(plan, [&](int64_t, const SequencePlan::Chunk& chunk) {
    LstmForwardTask<T> own = task;
    own.chunk = chunk;
    run_lstm_chunk(own);
  });
}

GRADUS_FLOAT_AND_DOUBLE(lstm_forward)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

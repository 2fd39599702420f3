// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/sequence/rnn.cpp"
#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/kernels/gemm/gemm_packed-inl.hpp>
#include <gradus/tensor/kernels/sequence/recurrent-inl.hpp>
#include <gradus/tensor/kernels/sequence/recurrent.hpp>
#include <gradus/tensor/kernels/sequence/rnn.hpp>
#include <gradus/tensor/memory/allocator.hpp>

#ifndef GRADUS_TENSOR_KERNELS_RNN_TASK
#define GRADUS_TENSOR_KERNELS_RNN_TASK
namespace gradus::kernels {

/// One chunk of rows through all steps.
template <class T>
struct RnnForwardTask {
  RnnSequence<T> in;
  RnnResults<T> out;
  const T* packed = nullptr;  // W_hh^T
  SequencePlan::Chunk chunk{};
  T* h = nullptr;         // [rows, H]
  T* products = nullptr;  // [rows, H]
};

/// The same from the last step to the first. With `keeps`, the arrays for the weights' derivatives have an entry for
/// each valid cell of the chunk, step after step in ascending order. Otherwise they have room for one step only.
template <class T>
struct RnnBackwardTask {
  RnnSequence<T> in;
  RnnCotangents<T> saved;
  RnnDerivatives<T> out;
  const T* packed = nullptr;  // W_hh
  SequencePlan::Chunk chunk{};
  bool keeps = false;
  T* dproducts = nullptr;  // [cells, H]
  T* h_saved = nullptr;    // [cells, H], only with `keeps`
  T* db = nullptr;         // [chunks, H]: each chunk's part of d b_hh
  T* dh = nullptr;         // [rows, H]
};

}  // namespace gradus::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <bool kRelu, class T>
void RnnStep(const RnnForwardTask<T>& task, int64_t active, int64_t step) {
  const hn::ScalableTag<T> d;
  const RnnSequence<T>& in = task.in;
  const int64_t hidden = in.hidden;
  RunPacked(PackedGemm<T>{active, hidden, hidden, task.h, hidden, task.packed, task.products, hidden, false});
  for (int64_t i = 0; i < active; ++i) {
    const int64_t cell = cell_at(task.chunk, i, step, in.time, in.reverse);
    const RnnForwardRow<T> row{in.gates_x + cell * hidden, task.products + i * hidden, in.b_hh, task.h + i * hidden,
                               task.out.y + cell * hidden};
    ForVectors(d, hidden, RnnForward<kRelu, decltype(d)>{d, row});
  }
}

template <class T>
void RunRnnForward(const RnnForwardTask<T>& task) {
  ForSteps(task.chunk, [&](int64_t active, int64_t step) HWY_ATTR {
    task.in.relu ? RnnStep<true>(task, active, step) : RnnStep<false>(task, active, step);
  });
}

template <class T>
struct RnnBackwardRow {
  const T* h;    // [H]: the state after the step
  const T* dh;   // [H]: its derivative
  const T* dy;   // [H]: added to dh, or null
  T* dproducts;  // [H]
  T* dx;         // [H]: the same, or null
};

template <bool kRelu, class D, class T = hn::TFromD<D>>
struct RnnBackward {
  D d;
  RnnBackwardRow<T> row;
  template <class IO>
  HWY_INLINE void operator()(const IO& io, int64_t j) const {
    const auto h = io.load(row.h + j);
    auto da = io.load(row.dh + j);
    if (row.dy != nullptr) da = hn::Add(da, io.load(row.dy + j));
    if constexpr (kRelu) {
      da = hn::IfThenZeroElse(hn::Le(h, hn::Zero(d)), da);
    } else {
      da = hn::Mul(da, hn::NegMulAdd(h, h, hn::Set(d, T{1})));
    }
    io.store(da, row.dproducts + j);
    if (row.dx != nullptr) io.store(da, row.dx + j);
  }
};

template <bool kRelu, class T>
void RnnStepBack(const RnnBackwardTask<T>& task, int64_t active, int64_t step, int64_t kept) {
  const hn::ScalableTag<T> d;
  const RnnSequence<T>& in = task.in;
  const int64_t hidden = in.hidden;
  T* dproducts = task.dproducts + kept * hidden;
  for (int64_t i = 0; i < active; ++i) {
    const int64_t cell = cell_at(task.chunk, i, step, in.time, in.reverse);
    const RnnBackwardRow<T> row{task.saved.y + cell * hidden, task.dh + i * hidden,
                                shifted(task.saved.dy, cell * hidden), dproducts + i * hidden,
                                shifted(task.out.gates_x, cell * hidden)};
    ForVectors(d, hidden, RnnBackward<kRelu, decltype(d)>{d, row});
    if (!task.keeps) continue;
    const int64_t previous = in.reverse ? cell + 1 : cell - 1;
    const T* before = step == 0 ? in.h0 + task.chunk.rows[i] * hidden : task.saved.y + previous * hidden;
    std::copy_n(before, hidden, task.h_saved + (kept + i) * hidden);
  }
  RunPacked(PackedGemm<T>{active, hidden, hidden, dproducts, hidden, task.packed, task.dh, hidden, false});
  if (task.keeps) AddRows(dproducts, active, hidden, task.db);
}

template <class T>
void RunRnnBackward(const RnnBackwardTask<T>& task) {
  ForStepsBack(task.chunk, task.keeps, [&](int64_t active, int64_t step, int64_t kept) HWY_ATTR {
    task.in.relu ? RnnStepBack<true>(task, active, step, kept) : RnnStepBack<false>(task, active, step, kept);
  });
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

template <class T>
void run_rnn_chunk(RnnForwardTask<T> task) {
  const int64_t hidden = task.in.hidden, rows = task.chunk.count;
  detail::Scratch scratch(static_cast<size_t>(rows * hidden * 2) * sizeof(T));
  task.h = scratch.as<T>();
  task.products = task.h + rows * hidden;
  gather_rows(task.chunk, task.in.h0, hidden, task.h);
  GRADUS_SIMD(RunRnnForward<T>)(task);
  scatter_rows(task.chunk, task.h, hidden, task.out.h_n);
  clear_padding(task.chunk, task.in.time, hidden, task.out.y);
}

template <class T>
void run_rnn_chunk(RnnBackwardTask<T> task) {
  const int64_t hidden = task.in.hidden, rows = task.chunk.count;
  detail::Scratch scratch(static_cast<size_t>(rows * hidden * (task.keeps ? 1 : 2)) * sizeof(T));
  task.dh = scratch.as<T>();
  if (task.keeps) {
    task.dproducts += task.chunk.first_cell * hidden;
    task.h_saved += task.chunk.first_cell * hidden;
    std::fill_n(task.db, hidden, T{0});
  } else {
    task.dproducts = task.dh + rows * hidden;
  }
  gather_rows(task.chunk, task.saved.dh_n, hidden, task.dh);
  GRADUS_SIMD(RunRnnBackward<T>)(task);
  scatter_rows(task.chunk, task.dh, hidden, task.out.h0);
  clear_padding(task.chunk, task.in.time, hidden, task.out.gates_x);
}

}  // namespace

template <class T>
void rnn_forward(const RnnSequence<T>& in, const RnnResults<T>& out) {
  const int64_t hidden = in.hidden;
  if (in.batch <= 0 || hidden <= 0) return;
  const SequencePlan plan(in.batch, in.time, hidden, in.lengths, in.time * hidden * hidden);
  detail::Scratch packed(static_cast<size_t>(packed_b_size<T>(hidden, hidden)) * sizeof(T));
  pack_b(hidden, hidden, in.w_hh, 1, hidden, packed.as<T>());
  const RnnForwardTask<T> task{.in = in, .out = out, .packed = packed.as<T>()};
  for_chunks(plan, [&](int64_t, const SequencePlan::Chunk& chunk) {
    RnnForwardTask<T> own = task;
    own.chunk = chunk;
    run_rnn_chunk(own);
  });
}

template <class T>
void rnn_backward(const RnnSequence<T>& in, const RnnCotangents<T>& saved, const RnnDerivatives<T>& out) {
  const int64_t hidden = in.hidden;
  if (hidden <= 0) return;
  const SequencePlan plan(in.batch, in.time, hidden, in.lengths, in.time * hidden * hidden);
  const bool keeps = out.w_hh != nullptr || out.b_hh != nullptr;
  const int64_t cells = keeps ? plan.cells() : 0, db_size = keeps ? plan.chunks() * hidden : 0;
  detail::Scratch packed(static_cast<size_t>(packed_b_size<T>(hidden, hidden)) * sizeof(T));
  detail::Scratch kept(static_cast<size_t>(cells * 2 * hidden + db_size) * sizeof(T));
  pack_b(hidden, hidden, in.w_hh, hidden, 1, packed.as<T>());
  RnnBackwardTask<T> task{.in = in, .saved = saved, .out = out, .packed = packed.as<T>(), .keeps = keeps};
  task.dproducts = kept.as<T>();
  task.h_saved = task.dproducts + cells * hidden;
  task.db = task.h_saved + cells * hidden;
  for_chunks(plan, [&](int64_t number, const SequencePlan::Chunk& chunk) {
    RnnBackwardTask<T> own = task;
    own.chunk = chunk;
    own.db = task.db + number * (keeps ? hidden : 0);
    run_rnn_chunk(own);
  });
  if (out.w_hh != nullptr) {
    weight_derivative<T>(cells, {task.dproducts, hidden, hidden}, {task.h_saved, hidden, hidden}, out.w_hh);
  }
  if (out.b_hh != nullptr) {
    std::fill_n(out.b_hh, hidden, T{0});
    GRADUS_SIMD(AddRows<T>)(task.db, plan.chunks(), hidden, out.b_hh);
  }
}

GRADUS_FLOAT_AND_DOUBLE(rnn_forward)
GRADUS_FLOAT_AND_DOUBLE(rnn_backward)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

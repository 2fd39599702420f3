// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/sequence/gru_backward.cpp"
#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/kernels/gemm/gemm_packed-inl.hpp>
#include <gradus/tensor/kernels/sequence/gru.hpp>
#include <gradus/tensor/kernels/sequence/gru_cell-inl.hpp>
#include <gradus/tensor/kernels/sequence/recurrent-inl.hpp>
#include <gradus/tensor/kernels/sequence/recurrent.hpp>
#include <gradus/tensor/memory/allocator.hpp>

#ifndef GRADUS_TENSOR_KERNELS_GRU_BACKWARD_TASK
#define GRADUS_TENSOR_KERNELS_GRU_BACKWARD_TASK
namespace gradus::kernels {

/// One chunk of rows through all steps, from the last to the first. With `keeps`, the arrays for the weights'
/// derivatives have an entry for each valid cell of the chunk, step after step in ascending order. Otherwise they have
/// room for one step only.
template <class T>
struct GruBackwardTask {
  GruSequence<T> in;
  GruCotangents<T> saved;
  GruDerivatives<T> out;
  const T* packed = nullptr;        // W_hh [3H, H], or its first 2H rows when reset comes before the product
  const T* packed_reset = nullptr;  // the same case: W_hn [H, H]
  SequencePlan::Chunk chunk{};
  bool keeps = false;
  T* dproducts = nullptr;    // [cells, 3H]
  T* h_saved = nullptr;      // [cells, H]
  T* reset_saved = nullptr;  // [cells, H]
  T* db = nullptr;           // [chunks, 3H]: each chunk's part of d b_hh
  T* dh = nullptr;           // [rows, H]
  T* dreset = nullptr;       // [rows, H]
};

}  // namespace gradus::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
GruBackwardRow<T> BackwardRow(const GruBackwardTask<T>& task, int64_t i, int64_t step, int64_t kept) {
  const GruSequence<T>& in = task.in;
  const int64_t hidden = in.hidden, row = task.chunk.rows[i];
  const int64_t cell = cell_at(task.chunk, i, step, in.time, in.reverse);
  const int64_t previous = in.reverse ? cell + 1 : cell - 1;
  return {hidden,
          task.saved.gates + cell * 4 * hidden,
          step == 0 ? in.h0 + row * hidden : task.saved.y + previous * hidden,
          task.saved.dy == nullptr ? nullptr : task.saved.dy + cell * hidden,
          task.dh + i * hidden,
          task.out.gates_x == nullptr ? nullptr : task.out.gates_x + cell * 3 * hidden,
          task.dproducts + (kept + i) * 3 * hidden,
          task.keeps ? task.h_saved + (kept + i) * hidden : nullptr,
          task.keeps ? task.reset_saved + (kept + i) * hidden : nullptr,
          task.dreset + i * hidden};
}

/// dh += da W for the first `gates` gates of the cells that start at `kept`.
template <class T>
void AddProducts(const GruBackwardTask<T>& task, int64_t active, int64_t kept, int64_t gates) {
  const int64_t hidden = task.in.hidden;
  RunPacked(PackedGemm<T>{active, hidden, gates * hidden, task.dproducts + kept * 3 * hidden, 3 * hidden, task.packed,
                          task.dh, hidden, true});
}

template <class T>
void GruStepBackAfter(const GruBackwardTask<T>& task, int64_t active, int64_t step, int64_t kept) {
  const hn::ScalableTag<T> d;
  for (int64_t i = 0; i < active; ++i) {
    ForVectors(d, task.in.hidden, GruBackwardAfter<decltype(d)>{d, BackwardRow(task, i, step, kept)});
  }
  AddProducts(task, active, kept, 3);
}

template <class T>
void GruStepBackBefore(const GruBackwardTask<T>& task, int64_t active, int64_t step, int64_t kept) {
  const hn::ScalableTag<T> d;
  const int64_t hidden = task.in.hidden;
  for (int64_t i = 0; i < active; ++i) {
    ForVectors(d, hidden, GruBackwardBefore<decltype(d)>{d, BackwardRow(task, i, step, kept)});
  }
  // d (r * h) = da_n W_hn
  const T* da_n = task.dproducts + kept * 3 * hidden + 2 * hidden;
  RunPacked(PackedGemm<T>{active, hidden, hidden, da_n, 3 * hidden, task.packed_reset, task.dreset, hidden, false});
  for (int64_t i = 0; i < active; ++i) {
    ForVectors(d, hidden, GruBackwardReset<decltype(d)>{d, BackwardRow(task, i, step, kept)});
  }
  AddProducts(task, active, kept, 2);
}

template <class T>
void RunGruBackward(const GruBackwardTask<T>& task) {
  const int64_t width = 3 * task.in.hidden;
  ForStepsBack(task.chunk, task.keeps, [&](int64_t active, int64_t step, int64_t kept) HWY_ATTR {
    task.in.reset_after ? GruStepBackAfter(task, active, step, kept) : GruStepBackBefore(task, active, step, kept);
    if (task.keeps) AddRows(task.dproducts + kept * width, active, width, task.db);
  });
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

template <class T>
void run_gru_chunk(GruBackwardTask<T> task) {
  const int64_t hidden = task.in.hidden, rows = task.chunk.count;
  detail::Scratch scratch(static_cast<size_t>(rows * hidden * (task.keeps ? 2 : 5)) * sizeof(T));
  task.dh = scratch.as<T>();
  task.dreset = task.dh + rows * hidden;
  if (task.keeps) {
    task.dproducts += task.chunk.first_cell * 3 * hidden;
    task.h_saved += task.chunk.first_cell * hidden;
    task.reset_saved += task.chunk.first_cell * hidden;
    std::fill_n(task.db, 3 * hidden, T{0});
  } else {
    task.dproducts = task.dreset + rows * hidden;
  }
  gather_rows(task.chunk, task.saved.dh_n, hidden, task.dh);
  GRADUS_SIMD(RunGruBackward<T>)(task);
  scatter_rows(task.chunk, task.dh, hidden, task.out.h0);
  clear_padding(task.chunk, task.in.time, 3 * hidden, task.out.gates_x);
}

}  // namespace

template <class T>
void gru_backward(const GruSequence<T>& in, const GruCotangents<T>& saved, const GruDerivatives<T>& out) {
  const int64_t hidden = in.hidden;
  if (hidden <= 0) return;
  const SequencePlan plan(in.batch, in.time, hidden, in.lengths, in.time * hidden * 3 * hidden);
  const bool keeps = out.w_hh != nullptr || out.b_hh != nullptr;
  const int64_t together = in.reset_after ? 3 * hidden : 2 * hidden, apart = 3 * hidden - together;
  const int64_t size = packed_b_size<T>(together, hidden), cells = keeps ? plan.cells() : 0;
  const int64_t db_size = keeps ? plan.chunks() * 3 * hidden : 0;
  detail::Scratch packed(static_cast<size_t>(size + packed_b_size<T>(apart, hidden)) * sizeof(T));
  detail::Scratch kept(static_cast<size_t>(cells * 5 * hidden + db_size) * sizeof(T));
  GruBackwardTask<T> task{.in = in, .saved = saved, .out = out, .packed = packed.as<T>(), .keeps = keeps};
  task.packed_reset = task.packed + size;
  pack_b(together, hidden, in.w_hh, hidden, 1, packed.as<T>());
  pack_b(apart, hidden, in.w_hh + together * hidden, hidden, 1, packed.as<T>() + size);
  task.dproducts = kept.as<T>();
  task.h_saved = task.dproducts + cells * 3 * hidden;
  task.reset_saved = task.h_saved + cells * hidden;
  task.db = task.reset_saved + cells * hidden;
  for_chunks(plan, [&](int64_t number, const SequencePlan::Chunk& chunk) {
    GruBackwardTask<T> own = task;
    own.chunk = chunk;
    own.db = task.db + number * (keeps ? 3 * hidden : 0);
    run_gru_chunk(own);
  });
  if (out.w_hh != nullptr) {
    // Reset before the product: the input of W_hn was r * h.
    const T* da = task.dproducts;
    weight_derivative<T>(cells, {da, together, 3 * hidden}, {task.h_saved, hidden, hidden}, out.w_hh);
    weight_derivative<T>(cells, {da + together, apart, 3 * hidden}, {task.reset_saved, hidden, hidden},
                         out.w_hh + together * hidden);
  }
  if (out.b_hh != nullptr) {
    std::fill_n(out.b_hh, 3 * hidden, T{0});
    GRADUS_SIMD(AddRows<T>)(task.db, plan.chunks(), 3 * hidden, out.b_hh);
  }
}

GRADUS_FLOAT_AND_DOUBLE(gru_backward)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

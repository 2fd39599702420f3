// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/sequence/lstm_backward.cpp"
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

#ifndef GRADUS_TENSOR_KERNELS_LSTM_BACKWARD_TASK
#define GRADUS_TENSOR_KERNELS_LSTM_BACKWARD_TASK
namespace gradus::kernels {

/// One chunk of rows through all steps, from the last to the first. With `keeps`, the arrays for the weights'
/// derivatives have an entry for each valid cell of the chunk, step after step in ascending order. Otherwise they have
/// room for one step only.
template <class T>
struct LstmBackwardTask {
  LstmSequence<T> in;
  LstmCotangents<T> saved;
  LstmDerivatives<T> out;
  const T* packed = nullptr;             // W_hh [4H, S]
  const T* packed_projection = nullptr;  // W_hr [S, H]
  SequencePlan::Chunk chunk{};
  bool keeps = false;
  T* dproducts = nullptr;     // [cells, 4H]
  T* h_saved = nullptr;       // [cells, S], only with `keeps`
  T* dh_saved = nullptr;      // [cells, S], with a projection: the derivative by h'
  T* before_saved = nullptr;  // [cells, H], with a projection and `keeps`: o * tanh(c')
  T* db = nullptr;            // [chunks, 4H]: each chunk's part of d b_hh
  T* dh = nullptr;            // [rows, S]
  T* dc = nullptr;            // [rows, H]
  T* dbefore = nullptr;       // [rows, H], with a projection
};

}  // namespace gradus::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// With h' = W_hr m: the sums dh' = dh + dy of the step, and dm = dh' W_hr.
template <class T>
void LstmProjectBack(const LstmBackwardTask<T>& task, int64_t active, int64_t step, int64_t kept) {
  const hn::ScalableTag<T> d;
  const LstmSequence<T>& in = task.in;
  const int64_t hidden = in.hidden, state = in.state;
  T* sums = task.dh_saved + kept * state;
  for (int64_t i = 0; i < active; ++i) {
    const T* dh = task.dh + i * state;
    const T* dy = shifted(task.saved.dy, cell_at(task.chunk, i, step, in.time, in.reverse) * state);
    ForVectors(d, state, [&](const auto& io, int64_t j) HWY_ATTR {
      const auto sum = dy == nullptr ? io.load(dh + j) : hn::Add(io.load(dh + j), io.load(dy + j));
      io.store(sum, sums + i * state + j);
    });
  }
  RunPacked(PackedGemm<T>{active, hidden, state, sums, state, task.packed_projection, task.dbefore, hidden, false});
}

template <class T>
void LstmStepBack(const LstmBackwardTask<T>& task, int64_t active, int64_t step, int64_t kept) {
  const hn::ScalableTag<T> d;
  const LstmSequence<T>& in = task.in;
  const int64_t hidden = in.hidden, state = in.state;
  const bool projects = in.w_hr != nullptr;
  if (projects) LstmProjectBack(task, active, step, kept);
  for (int64_t i = 0; i < active; ++i) {
    const int64_t row = task.chunk.rows[i], cell = cell_at(task.chunk, i, step, in.time, in.reverse);
    const int64_t previous = in.reverse ? cell + 1 : cell - 1;
    const LstmBackwardRow<T> at{hidden,
                                task.saved.gates + cell * 5 * hidden,
                                step == 0 ? in.c0 + row * hidden : task.saved.gates + (previous * 5 + 4) * hidden,
                                (projects ? task.dbefore : task.dh) + i * hidden,
                                projects ? nullptr : shifted(task.saved.dy, cell * hidden),
                                task.dc + i * hidden,
                                shifted(task.out.gates_x, cell * 4 * hidden),
                                task.dproducts + (kept + i) * 4 * hidden,
                                projects && task.keeps ? task.before_saved + (kept + i) * hidden : nullptr};
    ForVectors(d, hidden, LstmBackward<decltype(d)>{d, at});
    if (!task.keeps) continue;
    const T* h = step == 0 ? in.h0 + row * state : task.saved.y + previous * state;
    std::copy_n(h, state, task.h_saved + (kept + i) * state);
  }
  RunPacked(PackedGemm<T>{active, state, 4 * hidden, task.dproducts + kept * 4 * hidden, 4 * hidden, task.packed,
                          task.dh, state, false});
  if (task.keeps) AddRows(task.dproducts + kept * 4 * hidden, active, 4 * hidden, task.db);
}

template <class T>
void RunLstmBackward(const LstmBackwardTask<T>& task) {
  ForStepsBack(task.chunk, task.keeps,
               [&](int64_t active, int64_t step, int64_t kept) HWY_ATTR { LstmStepBack(task, active, step, kept); });
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

/// The number of numbers of a cell in dproducts, h_saved, dh_saved and before_saved together.
template <class T>
int64_t lstm_cell_size(const LstmSequence<T>& in) {
  return 4 * in.hidden + in.state + (in.w_hr != nullptr ? in.state + in.hidden : 0);
}

/// Gives the arrays of the weights' derivatives their places in `memory`, which has room for `cells` cells.
template <class T>
void place_lstm_arrays(LstmBackwardTask<T>& task, T* memory, int64_t cells) {
  task.dproducts = memory;
  task.h_saved = task.dproducts + cells * 4 * task.in.hidden;
  task.dh_saved = task.h_saved + cells * task.in.state;
  task.before_saved = task.dh_saved + (task.in.w_hr != nullptr ? cells * task.in.state : 0);
}

template <class T>
void run_lstm_chunk(LstmBackwardTask<T> task) {
  const int64_t hidden = task.in.hidden, state = task.in.state, rows = task.chunk.count;
  const int64_t before = task.in.w_hr != nullptr ? hidden : 0;
  const int64_t one_step = task.keeps ? 0 : rows * lstm_cell_size(task.in);
  detail::Scratch scratch(static_cast<size_t>(rows * (state + hidden + before) + one_step) * sizeof(T));
  task.dh = scratch.as<T>();
  task.dc = task.dh + rows * state;
  task.dbefore = task.dc + rows * hidden;
  if (task.keeps) {
    task.dproducts += task.chunk.first_cell * 4 * hidden;
    task.h_saved += task.chunk.first_cell * state;
    if (before > 0) {
      task.dh_saved += task.chunk.first_cell * state;
      task.before_saved += task.chunk.first_cell * hidden;
    }
    std::fill_n(task.db, 4 * hidden, T{0});
  } else {
    place_lstm_arrays(task, task.dbefore + rows * before, rows);
  }
  gather_rows(task.chunk, task.saved.dh_n, state, task.dh);
  gather_rows(task.chunk, task.saved.dc_n, hidden, task.dc);
  GRADUS_SIMD(RunLstmBackward<T>)(task);
  scatter_rows(task.chunk, task.dh, state, task.out.h0);
  scatter_rows(task.chunk, task.dc, hidden, task.out.c0);
  clear_padding(task.chunk, task.in.time, 4 * hidden, task.out.gates_x);
}

}  // namespace

template <class T>
void lstm_backward(const LstmSequence<T>& in, const LstmCotangents<T>& saved, const LstmDerivatives<T>& out) {
  const int64_t hidden = in.hidden, state = in.state;
  if (hidden + state <= 0) return;
  const bool projects = in.w_hr != nullptr;
  const SequencePlan plan(in.batch, in.time, hidden, in.lengths, in.time * state * (4 + projects) * hidden);
  const bool keeps = out.w_hh != nullptr || out.b_hh != nullptr || out.w_hr != nullptr;
  const int64_t size = packed_b_size<T>(4 * hidden, state), cells = keeps ? plan.cells() : 0;
  const int64_t db_size = keeps ? plan.chunks() * 4 * hidden : 0;
  detail::Scratch packed(static_cast<size_t>(size + (projects ? packed_b_size<T>(state, hidden) : 0)) * sizeof(T));
  detail::Scratch kept(static_cast<size_t>(cells * lstm_cell_size(in) + db_size) * sizeof(T));
  LstmBackwardTask<T> task{.in = in, .saved = saved, .out = out, .packed = packed.as<T>(), .keeps = keeps};
  task.packed_projection = task.packed + size;
  pack_b(4 * hidden, state, in.w_hh, state, 1, packed.as<T>());
  if (projects) pack_b(state, hidden, in.w_hr, hidden, 1, packed.as<T>() + size);
  place_lstm_arrays(task, kept.as<T>(), cells);
  task.db = kept.as<T>() + cells * lstm_cell_size(in);
  for_chunks(plan, [&](int64_t number, const SequencePlan::Chunk& chunk) {
    LstmBackwardTask<T> own = task;
    own.chunk = chunk;
    own.db = task.db + number * (keeps ? 4 * hidden : 0);
    run_lstm_chunk(own);
  });
  const CellRows<T> dproducts{task.dproducts, 4 * hidden, 4 * hidden};
  if (out.w_hh != nullptr) weight_derivative(cells, dproducts, {task.h_saved, state, state}, out.w_hh);
  if (out.w_hr != nullptr) {
    weight_derivative(cells, {task.dh_saved, state, state}, {task.before_saved, hidden, hidden}, out.w_hr);
  }
  if (out.b_hh != nullptr) {
    std::fill_n(out.b_hh, 4 * hidden, T{0});
    GRADUS_SIMD(AddRows<T>)(task.db, plan.chunks(), 4 * hidden, out.b_hh);
  }
}

GRADUS_FLOAT_AND_DOUBLE(lstm_backward)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/sequence/conv1d.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/common/ceil_div.hpp>
#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/kernels/movement/copy.hpp>
#include <gradus/tensor/memory/allocator.hpp>

namespace gradus::kernels {
namespace {

// The multiply-adds of a piece of work.
constexpr int64_t kPieceWork = int64_t{1} << 20;
// The elements of the windows that exist at a time, and bounds for their number: few rows make slow products, and
// OpenBLAS would compute transposed ones of more than 1024 rows.
constexpr int64_t kWindowElements = 16 << 10;
constexpr int64_t kLeastRows = 64;
constexpr int64_t kMostRows = 1024;
// Each part of the sum over all sequences has a weight gradient of its own.
constexpr int64_t kMostParts = 8;

struct Sizes {
  int64_t batch, time, in, out, taps, steps;
  Conv1dForm form;

  int64_t window() const { return taps * in; }
  int64_t rows_together() const { return std::clamp(rows_of_piece(kWindowElements, window()), kLeastRows, kMostRows); }
  // Sequences with about the work of one piece.
  int64_t grain() const { return rows_of_piece(kPieceWork, steps * window() * out); }
  // The step that the first element of a window reads.
  int64_t start(int64_t t) const { return t * form.stride - form.before; }
};

Sizes sizes_of(const Tensor& x, const Tensor& weight, const Tensor& y, const Conv1dForm& form) {
  return {.batch = x.shape()[0],
          .time = x.shape()[1],
          .in = x.shape()[2],
          .out = weight.shape()[0],
          .taps = weight.shape()[2],
          .steps = y.shape()[1],
          .form = form};
}

// Windows that have the same elements within their sequences: of one step in several sequences, or of several steps in
// one sequence.
struct Block {
  int64_t sequence, sequences, step, steps;
  int64_t first_tap, taps;

  int64_t rows() const { return sequences * steps; }
  int64_t columns(const Sizes& s) const { return taps * s.in; }
  // The place of their first row in y, and the distance between rows.
  int64_t in_y(const Sizes& s) const { return (sequence * s.steps + step) * s.out; }
  int64_t row_of_y(const Sizes& s) const { return steps == 1 ? s.steps * s.out : s.out; }
};

// Calls body(block) for all windows of sequences [begin, end).
template <class Body>
void for_blocks(const Sizes& s, int64_t begin, int64_t end, const Body& body) {
  const int64_t together = s.rows_together();
  const int64_t reach = (s.taps - 1) * s.form.dilation;
  const int64_t room = s.time - 1 - reach + s.form.before;
  const int64_t whole_begin = std::min(s.steps, ceil_div(s.form.before, s.form.stride));
  const int64_t whole_end = room < 0 ? whole_begin : std::clamp(room / s.form.stride + 1, whole_begin, s.steps);
  const auto partial = [&](int64_t from, int64_t to) {
    for (int64_t t = from; t < to; ++t) {
      const int64_t at = s.start(t);
      const int64_t first = std::min(s.taps, at >= 0 ? 0 : ceil_div(-at, s.form.dilation));
      const int64_t last = at >= s.time ? 0 : std::min(s.taps, ceil_div(s.time - at, s.form.dilation));
      for (int64_t b = begin; first < last && b < end; b += together) {
        body(Block{b, std::min(together, end - b), t, 1, first, last - first});
      }
    }
  };
  partial(0, whole_begin);
  for (int64_t b = begin; b < end; ++b) {
    for (int64_t t = whole_begin; t < whole_end; t += together) {
      body(Block{b, 1, t, std::min(together, whole_end - t), 0, s.taps});
    }
  }
  partial(whole_end, s.steps);
}

// Calls body(element of x, element of the windows, how many) for the runs of elements of a block.
template <class Body>
void for_runs(const Sizes& s, const Block& block, const Body& body) {
  const int64_t dilation = s.form.dilation;
  const int64_t runs = dilation == 1 ? 1 : block.taps;
  const int64_t length = block.columns(s) / runs;
  for (int64_t row = 0; row < block.rows(); ++row) {
    const int64_t sequence = block.sequence + (block.steps == 1 ? row : 0);
    const int64_t step = s.start(block.step + (block.steps == 1 ? 0 : row)) + block.first_tap * dilation;
    for (int64_t run = 0; run < runs; ++run) {
      body((sequence * s.time + step + run * dilation) * s.in, row * block.columns(s) + run * length, length);
    }
  }
}

template <class T>
void gather_windows(const Sizes& s, const Block& block, const T* x, T* windows) {
  for_runs(s, block, [&](int64_t from, int64_t to, int64_t count) { std::copy_n(x + from, count, windows + to); });
}

// Adds the derivatives of windows to those of the steps that they read.
template <class T>
void scatter_windows(const Sizes& s, const Block& block, const T* windows, T* dx) {
  for_runs(s, block, [&](int64_t to, int64_t from, int64_t count) {
    for (int64_t i = 0; i < count; ++i) dx[to + i] += windows[from + i];
  });
}

template <class T>
detail::Scratch room_for_windows(const Sizes& s) {
  return detail::Scratch(static_cast<size_t>(s.rows_together() * s.window()) * sizeof(T));
}

// The product of a block with the weight. `packed` is the whole weight, or null for a block that uses a part of it.
template <class T>
void multiply(const Gemm<T>& product, const T* packed) {
  if (packed == nullptr) return gemm(product);
  gemm_packed(PackedGemm<T>{.m = product.m,
                            .n = product.n,
                            .k = product.k,
                            .a = product.a,
                            .lda = product.lda,
                            .packed = packed,
                            .c = product.c,
                            .ldc = product.ldc,
                            .accumulate = product.beta != T{0}});
}

// weight [K, C, O]
template <class T>
void run_forward(const Sizes& s, const T* x, const T* weight, const T* bias, T* y) {
  detail::Scratch packed(static_cast<size_t>(packed_b_size<T>(s.window(), s.out)) * sizeof(T));
  pack_b(s.window(), s.out, weight, s.out, 1, packed.as<T>());
  for_rows(s.batch, s.grain(), [&](int64_t begin, int64_t count) {
    for (int64_t row = begin * s.steps; row < (begin + count) * s.steps; ++row) {
      for (int64_t o = 0; o < s.out; ++o) y[row * s.out + o] = bias != nullptr ? bias[o] : T{0};
    }
    detail::Scratch scratch = room_for_windows<T>(s);
    T* windows = scratch.as<T>();
    for_blocks(s, begin, begin + count, [&](const Block& block) {
      gather_windows(s, block, x, windows);
      multiply(Gemm<T>{.m = block.rows(),
                       .n = s.out,
                       .k = block.columns(s),
                       .a = windows,
                       .lda = block.columns(s),
                       .b = weight + block.first_tap * s.in * s.out,
                       .ldb = s.out,
                       .beta = T{1},
                       .c = y + block.in_y(s),
                       .ldc = block.row_of_y(s)},
               block.taps == s.taps ? packed.as<T>() : nullptr);
    });
  });
}

// The derivatives of the windows are g weight; weight [O, K, C].
template <class T>
void run_dx(const Sizes& s, const T* weight, const T* g, T* dx) {
  detail::Scratch packed(static_cast<size_t>(packed_b_size<T>(s.out, s.window())) * sizeof(T));
  pack_b(s.out, s.window(), weight, s.window(), 1, packed.as<T>());
  for_rows(s.batch, s.grain(), [&](int64_t begin, int64_t count) {
    std::fill_n(dx + begin * s.time * s.in, count * s.time * s.in, T{0});
    detail::Scratch scratch = room_for_windows<T>(s);
    T* windows = scratch.as<T>();
    for_blocks(s, begin, begin + count, [&](const Block& block) {
      multiply(Gemm<T>{.m = block.rows(),
                       .n = block.columns(s),
                       .k = s.out,
                       .a = g + block.in_y(s),
                       .lda = block.row_of_y(s),
                       .b = weight + block.first_tap * s.in,
                       .ldb = s.window(),
                       .c = windows,
                       .ldc = block.columns(s)},
               block.taps == s.taps ? packed.as<T>() : nullptr);
      scatter_windows(s, block, windows, dx);
    });
  });
}

// dweight [O, K, C] = g^T windows: a few parts of the sequences, each summed for itself, then added in order.
template <class T>
void run_dweight(const Sizes& s, const T* x, const T* g, T* dweight) {
  const int64_t size = s.out * s.window();
  const int64_t parts = std::clamp<int64_t>(s.batch / s.grain(), 1, kMostParts);
  const int64_t sequences = ceil_div(s.batch, parts);
  detail::Scratch sums(static_cast<size_t>(parts * size) * sizeof(T));
  std::fill_n(sums.as<T>(), parts * size, T{0});
  const auto run_part = [&](int64_t part) {
    detail::Scratch scratch = room_for_windows<T>(s);
    T* windows = scratch.as<T>();
    for_blocks(s, part * sequences, std::min((part + 1) * sequences, s.batch), [&](const Block& block) {
      gather_windows(s, block, x, windows);
      gemm(Gemm<T>{.trans_a = true,
                   .m = s.out,
                   .n = block.columns(s),
                   .k = block.rows(),
                   .a = g + block.in_y(s),
                   .lda = block.row_of_y(s),
                   .b = windows,
                   .ldb = block.columns(s),
                   .beta = T{1},
                   .c = sums.as<T>() + part * size + block.first_tap * s.in,
                   .ldc = s.window()});
    });
  };
  for_rows(parts, 1, [&](int64_t begin, int64_t count) {
    for (int64_t part = begin; part < begin + count; ++part) run_part(part);
  });
  std::copy_n(sums.as<T>(), size, dweight);
  for (int64_t part = 1; part < parts; ++part) {
    for (int64_t i = 0; i < size; ++i) dweight[i] += sums.as<T>()[part * size + i];
  }
}

Tensor reordered(const Tensor& weight, std::initializer_list<int> axes) {
  return weight.view(weight.layout().permute(std::span<const int>(axes.begin(), axes.size())));
}

}  // namespace

void conv1d(const Tensor& x, const Tensor& weight, const Tensor* bias, const Conv1dForm& form, Tensor& y) {
  if (y.numel() == 0) return;
  const Tensor in = x.contiguous();
  const Tensor matrix = reordered(weight, {2, 1, 0}).contiguous();
  const Tensor added = dense(bias);
  dispatch_float(y.dtype(), [&]<class T>() {
    run_forward(sizes_of(x, weight, y, form), pointer<T>(in), pointer<T>(matrix), pointer<T>(added), pointer<T>(y));
  });
}

void conv1d_backward(const Tensor& x, const Tensor& weight, const Tensor& g, const Conv1dForm& form, Tensor& dx,
                     Tensor& dweight) {
  const Tensor in = x.contiguous();
  const Tensor matrix = reordered(weight, {0, 2, 1}).contiguous();
  const Tensor cotangent = g.contiguous();
  Tensor dmatrix = Tensor::empty(matrix.shape(), matrix.dtype());
  dispatch_float(g.dtype(), [&]<class T>() {
    const Sizes s = sizes_of(x, weight, g, form);
    if (dx.numel() > 0) run_dx<T>(s, pointer<T>(matrix), pointer<T>(cotangent), pointer<T>(dx));
    if (dweight.numel() > 0) run_dweight<T>(s, pointer<T>(in), pointer<T>(cotangent), pointer<T>(dmatrix));
  });
  copy(reordered(dmatrix, {0, 2, 1}), dweight);
}

}  // namespace gradus::kernels

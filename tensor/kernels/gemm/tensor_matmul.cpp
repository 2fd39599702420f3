// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/gemm/tensor_matmul.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/gemm/gemm.hpp>

namespace gradus::kernels {
namespace {

// How BLAS reads the last two axes: as a matrix stored by rows, or as the transpose of one.
struct MatrixView {
  Tensor tensor;
  bool transposed;
  int64_t ld;
};

// A dense copy that copies each matrix once: an expanded batch axis stays expanded.
Tensor dense_matrices(const Tensor& x) {
  Tensor different = x;
  for (int axis = 0; axis < x.rank() - 2; ++axis) {
    if (x.layout().stride(axis) == 0 && x.shape()[axis] > 1) different = different.slice(axis, 0, 1);
  }
  return different.clone().expand(x.shape());
}

MatrixView matrix_view(const Tensor& x) {
  const int row = x.rank() - 2;
  const int64_t rows = x.shape()[row];
  const int64_t cols = x.shape()[row + 1];
  const int64_t row_stride = x.layout().stride(row);
  const int64_t col_stride = x.layout().stride(row + 1);
  if ((col_stride == 1 || cols == 1) && (row_stride >= cols || rows == 1)) {
    return {x, false, std::max<int64_t>({1, cols, rows == 1 ? 0 : row_stride})};
  }
  if ((row_stride == 1 || rows == 1) && (col_stride >= rows || cols == 1)) {
    return {x, true, std::max<int64_t>({1, rows, cols == 1 ? 0 : col_stride})};
  }
  return {dense_matrices(x), false, std::max<int64_t>(1, cols)};
}

// Merges the batch axes into one with a single stride, if their strides allow it.
bool fuse_batch(const Tensor& x, int64_t count, int64_t& stride) {
  const int batch_rank = x.rank() - 2;
  stride = 0;
  int64_t expected = -1;
  int64_t seen = 1;
  for (int axis = batch_rank - 1; axis >= 0; --axis) {
    const int64_t size = x.shape()[axis];
    if (size == 1) continue;
    const int64_t here = x.layout().stride(axis);
    if (expected < 0) {
      stride = here;
    } else if (here != expected) {
      return false;
    }
    expected = here * size;
    seen *= size;
  }
  return seen == count || count == 1;
}

template <class T>
void run_batches(const MatrixView& a, const MatrixView& b, Tensor& c) {
  const int row = c.rank() - 2;
  const int64_t m = c.shape()[row];
  const int64_t n = c.shape()[row + 1];
  const int64_t k = a.tensor.shape()[row + 1];
  const int64_t count = m * n == 0 ? 0 : c.numel() / (m * n);
  if (count == 0) return;
  BatchedGemm<T> work{.item = {.trans_a = a.transposed,
                               .trans_b = b.transposed,
                               .m = m,
                               .n = n,
                               .k = k,
                               .a = pointer<T>(a.tensor),
                               .lda = a.ld,
                               .b = pointer<T>(b.tensor),
                               .ldb = b.ld,
                               .c = pointer<T>(c),
                               .ldc = std::max<int64_t>(1, n)},
                      .batch = count,
                      .stride_c = m * n};
  if (count == 1) return gemm(work.item);
  const bool even = fuse_batch(a.tensor, count, work.stride_a) && fuse_batch(b.tensor, count, work.stride_b);
  if (even && work.stride_b == 0 && !a.transposed && work.stride_a == m * a.ld) {
    work.item.m = m * count;  // one b for all items: the rows of a form one tall matrix
    return gemm(work.item);
  }
  if (even) return batched_gemm(work);
  for (int64_t i = 0; i < c.shape()[0]; ++i) {
    Tensor part = c.select(0, i);
    run_batches<T>({a.tensor.select(0, i), a.transposed, a.ld}, {b.tensor.select(0, i), b.transposed, b.ld}, part);
  }
}

}  // namespace

void matmul(const Tensor& a, const Tensor& b, Tensor& c) {
  const MatrixView left = matrix_view(a);
  const MatrixView right = matrix_view(b);
  dispatch_float(c.dtype(), [&]<class T>() { run_batches<T>(left, right, c); });
}

void linear(const Tensor& x, const Tensor& w, const Tensor* bias, Tensor& y) {
  const Tensor added = bias != nullptr ? bias->contiguous() : Tensor();
  const MatrixView left = matrix_view(x);
  const MatrixView right = matrix_view(w);
  dispatch_float(y.dtype(), [&]<class T>() {
    gemm(Gemm<T>{.trans_a = left.transposed,
                 .trans_b = !right.transposed,
                 .m = y.size(0),
                 .n = y.size(1),
                 .k = x.size(1),
                 .a = pointer<T>(left.tensor),
                 .lda = left.ld,
                 .b = pointer<T>(right.tensor),
                 .ldb = right.ld,
                 .c = pointer<T>(y),
                 .ldc = std::max<int64_t>(1, y.size(1)),
                 .bias = bias != nullptr ? pointer<T>(added) : nullptr});
  });
}

}  // namespace gradus::kernels

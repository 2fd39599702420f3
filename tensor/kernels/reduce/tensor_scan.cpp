// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/reduce/tensor_scan.hpp>

#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/movement/scan.hpp>

namespace gradus::kernels {
namespace {

constexpr int64_t kScanGrain = 16 << 10;

// Calls body(first element, its columns) for each dense block [n, cols] of x, where n is the axis of the scan.
template <class Body>
void for_blocks(const Shape& x, int axis, ScanForm form, const Body& body) {
  if (x.numel() == 0) return;
  ScanCols columns{
      .n = x[axis], .cols = 1, .step = form.order == ScanOrder::forward ? 1 : -1, .exclusive = form.exclusive};
  for (int k = axis + 1; k < x.rank(); ++k) columns.cols *= x[k];
  const int64_t size = columns.n * columns.cols;
  for_rows(x.numel() / size, rows_of_piece(kScanGrain, size), [&](int64_t first, int64_t count) {
    for (int64_t block = first; block < first + count; ++block) body(block * size, columns);
  });
}

}  // namespace

void cumsum(const Tensor& x, int axis, ScanForm form, Tensor& y) {
  const Tensor in = x.contiguous();
  dispatch_numbers(x.dtype(), [&]<class T>() {
    for_blocks(x.shape(), axis, form, [&](int64_t at, const ScanCols& columns) {
      cumsum_cols<T>(pointer<T>(in) + at, columns, pointer<T>(y) + at);
    });
  });
}

void cumprod(const Tensor& x, int axis, ScanForm form, Tensor& y) {
  const Tensor in = x.contiguous();
  dispatch_numbers(x.dtype(), [&]<class T>() {
    for_blocks(x.shape(), axis, form, [&](int64_t at, const ScanCols& columns) {
      cumprod_cols<T>(pointer<T>(in) + at, columns, pointer<T>(y) + at);
    });
  });
}

void linear_scan(const Tensor& a, const Tensor& b, int axis, ScanOrder order, Tensor& s) {
  const Tensor factors = a.contiguous();
  const Tensor terms = b.contiguous();
  dispatch_float(s.dtype(), [&]<class T>() {
    for_blocks(s.shape(), axis, {.order = order}, [&](int64_t at, const ScanCols& columns) {
      linear_scan_cols<T>(pointer<T>(factors) + at, pointer<T>(terms) + at, columns, pointer<T>(s) + at);
    });
  });
}

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT
// log sum e^x = shift + log sum e^(x - shift) of rows, shift the largest x:  dx = g e^(x - shift) / sum e^(x - shift)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/reduce/logsumexp.cpp"
#include <gradus/tensor/kernels/reduce/row_kernels.hpp>
#include <gradus/tensor/kernels/rows/softmax-inl.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
void LogSumExpRows(const T* x, T* y, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    const LogSumExp<T> lse = RowLogSumExp(x + r * n, n);
    y[r] = lse.shift + lse.log_sum;
  }
}

/// dx = g e^(x - lse), computed as (g / sum e^(x - shift)) e^(x - shift), because lse itself is rounded.
template <class T>
void LogSumExpBackward(const T* x, const T* g, T* dx, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, x += n, dx += n) {
    const T sum = SumOf(hn::ScalableTag<T>(), n, ExpTerms<T>{x, RowShift(x, n), dx});
    // In a row of -infinity, lse is -infinity too, and dx is 0 already.
    if (sum != 0) ScaleRow(dx, g[r] / sum, n);
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void logsumexp_rows(const T* x, T* y, int64_t rows, int64_t n) {
  GRADUS_SIMD(LogSumExpRows<T>)(x, y, rows, n);
}

template <class T>
void logsumexp_backward_rows(const T* x, const T* g, T* dx, int64_t rows, int64_t n) {
  GRADUS_SIMD(LogSumExpBackward<T>)(x, g, dx, rows, n);
}

GRADUS_FLOAT_AND_DOUBLE(logsumexp_rows)
GRADUS_FLOAT_AND_DOUBLE(logsumexp_backward_rows)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

// SPDX-License-Identifier: MIT
// z = (x - mean) rstd,  y = z weight + bias;  with h = g weight:  dx = rstd (h - sum h / n - z sum(h z) / n)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/rows/layer_norm.cpp"
#include <cmath>

#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/reduce/reduce-inl.hpp>
#include <gradus/tensor/kernels/reduce/reduce.hpp>
#include <gradus/tensor/kernels/reduce/wide.hpp>
#include <gradus/tensor/kernels/rows/layer_norm.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
void LayerNorm(const T* x, const T* weight, const T* bias, double eps, T* y, T* mean, T* rstd, int64_t rows,
               int64_t n) {
  const hn::ScalableTag<T> d;
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    T center = 0;
    if (mean != nullptr) mean[r] = center = SumOf(d, n, ArrayOperand<T>{x}) / static_cast<T>(n);
    const auto squares = [&](const auto& io, int64_t j) GRADUS_INLINE_LAMBDA {
      const auto c = hn::Sub(io.load(x + j), hn::Set(d, center));
      return io.within(hn::Mul(c, c));
    };
    const T variance = SumOf(d, n, squares) / static_cast<T>(n);
    if (!squares_in_range(variance + static_cast<T>(eps))) {
      wide_norm_row(x, weight, bias, eps, y, mean != nullptr ? mean + r : nullptr, rstd + r, n);
      continue;
    }
    rstd[r] = T{1} / std::sqrt(variance + static_cast<T>(eps));
    const auto m = hn::Set(d, center);
    const auto scale = hn::Set(d, rstd[r]);
    ForVectors(d, n, [&](const auto& io, int64_t j) GRADUS_INLINE_LAMBDA {
      auto v = hn::Mul(hn::Sub(io.load(x + j), m), scale);
      if (weight != nullptr) v = hn::Mul(v, io.load(weight + j));
      if (bias != nullptr) v = hn::Add(v, io.load(bias + j));
      io.store(v, y + j);
    });
  }
}

template <class T>
void LayerNormBackward(const T* x, const T* weight, const T* g, const T* mean, const T* rstd, double eps, T* dx,
                       T* dweight, int64_t rows, int64_t n) {
  const hn::ScalableTag<T> d;
  if (dweight != nullptr) {
    for (int64_t j = 0; j < n; ++j) dweight[j] = 0;
  }
  for (int64_t r = 0; r < rows; ++r, x += n, g += n, dx += n) {
    if (!squares_in_range(rstd[r] * rstd[r])) {
      wide_norm_backward_row(x, weight, g, mean != nullptr, eps, dx, dweight, n);
      continue;
    }
    const T center = mean != nullptr ? mean[r] : T{0};
    const auto h_of = [&](const auto& io, int64_t j) GRADUS_INLINE_LAMBDA {
      const auto v = io.load(g + j);
      return weight == nullptr ? v : hn::Mul(v, io.load(weight + j));
    };
    const auto hc_of = [&](const auto& io, int64_t j) GRADUS_INLINE_LAMBDA {
      return hn::Mul(h_of(io, j), hn::Sub(io.load(x + j), hn::Set(d, center)));
    };
    const T sum = mean != nullptr ? SumOf(d, n, h_of) : T{0};
    const T dot = SumOf(d, n, hc_of) * rstd[r];
    const auto m = hn::Set(d, center);
    const auto scale = hn::Set(d, rstd[r]);
    const auto mean_h = hn::Set(d, sum / static_cast<T>(n));
    const auto mean_hz = hn::Set(d, dot / static_cast<T>(n));
    ForVectors(d, n, [&](const auto& io, int64_t j) GRADUS_INLINE_LAMBDA {
      const auto z = hn::Mul(hn::Sub(io.load(x + j), m), scale);
      const auto cotangent = io.load(g + j);
      const auto h = h_of(io, j);
      io.store(hn::Mul(scale, hn::Sub(hn::Sub(h, mean_h), hn::Mul(z, mean_hz))), dx + j);
      if (dweight != nullptr) io.store(hn::Add(io.load(dweight + j), hn::Mul(cotangent, z)), dweight + j);
    });
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

// At least 8 rows, because each piece has its own sums for dweight.
int64_t grain_of(int64_t n) { return std::max<int64_t>(8, rows_of_piece(16 << 10, n)); }

}  // namespace

void layer_norm(const Tensor& x, const Tensor* weight, const Tensor* bias, double eps, Tensor& y, Tensor* mean,
                Tensor& rstd) {
  const Tensor in = dense(x), w = dense(weight), b = dense(bias);
  const int64_t n = x.size(1);
  dispatch_float(x.dtype(), [&]<class T>() {
    for_rows(x.size(0), grain_of(n), [&](int64_t first, int64_t rows) {
      GRADUS_SIMD(LayerNorm<T>)
      (pointer<T>(in) + first * n, pointer<T>(w), pointer<T>(b), eps, pointer<T>(y) + first * n,
       mean != nullptr ? pointer<T>(*mean) + first : nullptr, pointer<T>(rstd) + first, rows, n);
    });
  });
}

void layer_norm_backward(const Tensor& x, const Tensor* weight, const Tensor& g, const Tensor* mean, const Tensor& rstd,
                         double eps, Tensor& dx, Tensor* dweight) {
  const Tensor in = dense(x), w = dense(weight), cotangent = dense(g), means = dense(mean), scales = dense(rstd);
  const int64_t rows = x.size(0), n = x.size(1), grain = grain_of(n);
  // One row of sums for each piece, added up in order, so that the bits do not depend on the number of threads.
  const int64_t pieces = std::max<int64_t>(1, (rows + grain - 1) / grain);
  Tensor parts = dweight != nullptr ? Tensor::empty({pieces, n}, x.dtype()) : Tensor();
  dispatch_float(x.dtype(), [&]<class T>() {
    for_rows(rows, grain, [&](int64_t first, int64_t count) {
      GRADUS_SIMD(LayerNormBackward<T>)
      (pointer<T>(in) + first * n, pointer<T>(w), pointer<T>(cotangent) + first * n, shifted(pointer<T>(means), first),
       pointer<T>(scales) + first, eps, pointer<T>(dx) + first * n, shifted(pointer<T>(parts), first / grain * n),
       count, n);
    });
    if (dweight != nullptr) reduce_cols<T>(ReduceFn::sum, pointer<T>(parts), pieces, n, n, pointer<T>(*dweight));
  });
}

}  // namespace gradus::kernels
#endif  // HWY_ONCE

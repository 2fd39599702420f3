// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/rows/softmax.cpp"
#include <gradus/tensor/kernels/elementwise/elementwise-inl.hpp>
#include <gradus/tensor/kernels/rows/softmax-inl.hpp>
#include <gradus/tensor/kernels/rows/softmax.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

struct MulOp {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Mul(a, b);
  }
};

template <class T>
void Softmax(const T* x, T* y, int64_t rows, int64_t n) {
  const hn::ScalableTag<T> d;
  const size_t count = static_cast<size_t>(n);
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const T largest = RowMax(x, count);
    const T sum = SumLanes(d, SumTerms(d, count, ExpTerms<T>{x, largest, y}));
    MapBinary(MulOp(), ArrayOperand<T>{y}, OneOperand<T>{T{1} / sum}, y, n);
  }
}

/// y = a where keep is not 0, else 0.
template <class T>
struct KeepOrZero {
  const uint8_t* keep;
  T* y;

  HWY_INLINE void Run(T a, size_t n) const {
    for (size_t i = 0; i < n; ++i) y[i] = keep[i] != 0 ? a : T{0};
  }
};

template <class T>
void MaskedSoftmax(const T* x, const uint8_t* keep, int64_t keep_stride, T* y, int64_t rows, int64_t n) {
  const hn::ScalableTag<T> d;
  const size_t count = static_cast<size_t>(n);
  const T lowest = -InfinityOf<T>();
  for (int64_t r = 0; r < rows; ++r, x += n, y += n, keep += keep_stride) {
    const T largest = ExtremeOf(MaxLanes(), d, count, MaskedMaxTerms<T>{x, keep}, lowest);
    const T sum = SumLanes(d, SumTerms(d, count, MaskedExpTerms<T>{x, keep, largest, y}));
    // No kept position: y is 0 already. A NaN sum times the exact zeros would spoil them.
    if (sum > 0 && sum - sum == 0) {
      MapBinary(MulOp(), ArrayOperand<T>{y}, OneOperand<T>{T{1} / sum}, y, n);
    } else if (!(sum == 0)) {
      KeepOrZero<T>{keep, y}.Run(sum - sum, count);
    }
  }
}

/// a[i] b[i].
template <class T>
struct ProductTerms {
  const T* a;
  const T* b;
  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    return hn::Mul(hn::LoadU(d, a + i), hn::LoadU(d, b + i));
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    return hn::Mul(LoadPart(d, a + i, count), LoadPart(d, b + i, count));
  }
};

/// y (g - dot).
template <class T>
struct SoftmaxBackwardOp {
  T dot;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V y, V g) const {
    return hn::Mul(y, hn::Sub(g, hn::Set(d, dot)));
  }
};

template <class T>
void SoftmaxBackward(const T* y, const T* g, T* dx, int64_t rows, int64_t n) {
  const hn::ScalableTag<T> d;
  for (int64_t r = 0; r < rows; ++r, y += n, g += n, dx += n) {
    const T dot = SumLanes(d, SumTerms(d, static_cast<size_t>(n), ProductTerms<T>{y, g}));
    MapBinary(SoftmaxBackwardOp<T>{dot}, ArrayOperand<T>{y}, ArrayOperand<T>{g}, dx, n);
  }
}

/// An array with exact 0 where keep is 0.
template <class T>
struct KeptOperand {
  const T* data;
  const uint8_t* keep;
  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    return hn::IfThenElseZero(LoadMask(d, keep + i), hn::LoadU(d, data + i));
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    return hn::IfThenElseZero(LoadMaskPart(d, keep + i, count), LoadPart(d, data + i, count));
  }
};

template <class T>
struct KeptProductTerms {
  const T* y;
  KeptOperand<T> g;
  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    return hn::Mul(hn::LoadU(d, y + i), g.Whole(d, i));
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    return hn::Mul(LoadPart(d, y + i, count), g.Part(d, i, count));
  }
};

template <class T>
void MaskedSoftmaxBackward(const T* y, const T* g, const uint8_t* keep, int64_t keep_stride, T* dx, int64_t rows,
                           int64_t n) {
  const hn::ScalableTag<T> d;
  for (int64_t r = 0; r < rows; ++r, y += n, g += n, dx += n, keep += keep_stride) {
    const KeptOperand<T> kept_g{g, keep};
    const T dot = SumLanes(d, SumTerms(d, static_cast<size_t>(n), KeptProductTerms<T>{y, kept_g}));
    MapBinary(SoftmaxBackwardOp<T>{dot}, ArrayOperand<T>{y}, kept_g, dx, n);
    // 0 times what is not finite would be NaN.
    if (!(dot - dot == 0)) {
      for (int64_t i = 0; i < n; ++i) dx[i] = keep[i] != 0 ? dx[i] : T{0};
    }
  }
}

template <class T>
void LogSoftmax(const T* x, T* y, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    MapUnary(LogSoftmaxOp<T>{RowLogSumExp(x, static_cast<size_t>(n))}, x, y, n);
  }
}

/// g - e^y sum. Where e^y is near 1, g is often near sum, and what is left of both must not be rounded away: there it
/// is (g - sum) - (e^y - 1) sum.
template <class T>
struct LogSoftmaxBackwardOp {
  T sum;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V y, V g) const {
    const V total = hn::Set(d, sum);
    const V plain = hn::NegMulAdd(Exp(d, y), total, g);
    const auto likely = hn::Gt(y, hn::Set(d, T{-0.5}));
    if (HWY_LIKELY(hn::AllFalse(d, likely))) return plain;
    return hn::IfThenElse(likely, hn::NegMulAdd(Expm1(d, y), total, hn::Sub(g, total)), plain);
  }
};

template <class T>
void LogSoftmaxBackward(const T* y, const T* g, T* dx, int64_t rows, int64_t n) {
  const hn::ScalableTag<T> d;
  for (int64_t r = 0; r < rows; ++r, y += n, g += n, dx += n) {
    const T sum = SumLanes(d, SumTerms(d, static_cast<size_t>(n), PlainTerms<T>{g}));
    MapBinary(LogSoftmaxBackwardOp<T>{sum}, ArrayOperand<T>{y}, ArrayOperand<T>{g}, dx, n);
  }
}

/// dx = g e^(x - lse) as g / sum e^(x - shift) times e^(x - shift): lse itself is rounded.
template <class T>
void LogSumExpBackward(const T* x, const T* g, T* dx, int64_t rows, int64_t n) {
  const hn::ScalableTag<T> d;
  const size_t count = static_cast<size_t>(n);
  for (int64_t r = 0; r < rows; ++r, x += n, dx += n) {
    const T largest = RowMax(x, count);
    const T shift = largest - largest == 0 ? largest : T{0};
    const T sum = SumLanes(d, SumTerms(d, count, ExpTerms<T>{x, shift, dx}));
    // All are -infinity: so is lse, and dx is 0 already.
    if (sum == 0) continue;
    MapBinary(MulOp(), ArrayOperand<T>{dx}, OneOperand<T>{g[r] / sum}, dx, n);
  }
}

template <class T>
void LogSumExpRows(const T* x, T* y, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    const LogSumExp<T> lse = RowLogSumExp(x + r * n, static_cast<size_t>(n));
    y[r] = lse.shift + lse.log_sum;
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void softmax_rows(const T* x, T* y, int64_t rows, int64_t n) {
  GRADUS_SIMD(Softmax<T>)(x, y, rows, n);
}

template <class T>
void masked_softmax_rows(const T* x, const uint8_t* keep, int64_t keep_stride, T* y, int64_t rows, int64_t n) {
  GRADUS_SIMD(MaskedSoftmax<T>)(x, keep, keep_stride, y, rows, n);
}

template <class T>
void softmax_backward_rows(const T* y, const T* g, T* dx, int64_t rows, int64_t n) {
  GRADUS_SIMD(SoftmaxBackward<T>)(y, g, dx, rows, n);
}

template <class T>
void masked_softmax_backward_rows(const T* y, const T* g, const uint8_t* keep, int64_t keep_stride, T* dx, int64_t rows,
                                  int64_t n) {
  GRADUS_SIMD(MaskedSoftmaxBackward<T>)(y, g, keep, keep_stride, dx, rows, n);
}

template <class T>
void log_softmax_rows(const T* x, T* y, int64_t rows, int64_t n) {
  GRADUS_SIMD(LogSoftmax<T>)(x, y, rows, n);
}

template <class T>
void log_softmax_backward_rows(const T* y, const T* g, T* dx, int64_t rows, int64_t n) {
  GRADUS_SIMD(LogSoftmaxBackward<T>)(y, g, dx, rows, n);
}

template <class T>
void logsumexp_rows(const T* x, T* y, int64_t rows, int64_t n) {
  GRADUS_SIMD(LogSumExpRows<T>)(x, y, rows, n);
}

template <class T>
void logsumexp_backward_rows(const T* x, const T* g, T* dx, int64_t rows, int64_t n) {
  GRADUS_SIMD(LogSumExpBackward<T>)(x, g, dx, rows, n);
}

template void softmax_rows<float>(const float*, float*, int64_t, int64_t);
template void softmax_rows<double>(const double*, double*, int64_t, int64_t);
template void masked_softmax_rows<float>(const float*, const uint8_t*, int64_t, float*, int64_t, int64_t);
template void masked_softmax_rows<double>(const double*, const uint8_t*, int64_t, double*, int64_t, int64_t);
template void softmax_backward_rows<float>(const float*, const float*, float*, int64_t, int64_t);
template void softmax_backward_rows<double>(const double*, const double*, double*, int64_t, int64_t);
template void masked_softmax_backward_rows<float>(const float*, const float*, const uint8_t*, int64_t, float*, int64_t,
                                                  int64_t);
template void masked_softmax_backward_rows<double>(const double*, const double*, const uint8_t*, int64_t, double*,
                                                   int64_t, int64_t);
template void log_softmax_rows<float>(const float*, float*, int64_t, int64_t);
template void log_softmax_rows<double>(const double*, double*, int64_t, int64_t);
template void log_softmax_backward_rows<float>(const float*, const float*, float*, int64_t, int64_t);
template void log_softmax_backward_rows<double>(const double*, const double*, double*, int64_t, int64_t);
template void logsumexp_rows<float>(const float*, float*, int64_t, int64_t);
template void logsumexp_rows<double>(const double*, double*, int64_t, int64_t);
template void logsumexp_backward_rows<float>(const float*, const float*, float*, int64_t, int64_t);
template void logsumexp_backward_rows<double>(const double*, const double*, double*, int64_t, int64_t);

}  // namespace gradus::kernels
#endif  // HWY_ONCE

// SPDX-License-Identifier: MIT
// softmax:      y = e^(x - max) / sum e^(x - max),  dx = y (g - sum y g)
// log_softmax:  y = (x - max) - log sum e^(x - max),  dx = g - e^y sum g
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/rows/softmax.cpp"
#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/rows/softmax-inl.hpp>
#include <gradus/tensor/kernels/rows/softmax.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
void Softmax(const T* x, T* y, int64_t rows, int64_t n) {
  const hn::ScalableTag<T> d;
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    ScaleRow(y, T{1} / SumOf(d, n, ExpTerms<T>{x, RowMax(x, n), y}), n);
  }
}

/// e^(x - shift), or exactly 0 where keep is 0. Also writes it to y.
template <class T>
struct MaskedExpTerms {
  const T* x;
  const uint8_t* keep;
  T shift;
  T* y;
  template <class IO>
  HWY_INLINE auto operator()(const IO& io, int64_t i) const {
    const auto e = Exp(io.d, hn::Sub(io.load(x + i), hn::Set(io.d, shift)));
    const auto kept = hn::IfThenElseZero(LoadMask(io, keep + i), e);
    io.store(kept, y + i);
    return kept;
  }
};

/// x where keep is not 0, else -infinity.
template <class T>
struct MaskedMaxTerms {
  const T* x;
  const uint8_t* keep;
  template <class IO>
  HWY_INLINE auto operator()(const IO& io, int64_t i) const {
    return hn::IfThenElse(LoadMask(io, keep + i), io.load(x + i), hn::Neg(hn::Inf(io.d)));
  }
};

template <class T>
void MaskedSoftmax(const T* x, const uint8_t* keep, T* y, int64_t rows, int64_t n) {
  const hn::ScalableTag<T> d;
  for (int64_t r = 0; r < rows; ++r, x += n, y += n, keep += n) {
    const T largest = ExtremeOf(MaxLanes(), d, n, MaskedMaxTerms<T>{x, keep}, -InfinityOf<T>());
    const T sum = SumOf(d, n, MaskedExpTerms<T>{x, keep, largest, y});
    // Without a kept position y is 0 already. A NaN sum must not be multiplied with the exact zeros.
    if (sum > 0 && sum - sum == 0) {
      ScaleRow(y, T{1} / sum, n);
    } else if (!(sum == 0)) {
      for (int64_t i = 0; i < n; ++i) y[i] = keep[i] != 0 ? sum - sum : T{0};
    }
  }
}

/// The elements of an array, or exactly 0 where keep is 0.
template <class T>
struct KeptOperand {
  const T* data;
  const uint8_t* keep;
  template <class IO>
  HWY_INLINE auto operator()(const IO& io, int64_t i) const {
    return hn::IfThenElseZero(LoadMask(io, keep + i), io.load(data + i));
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

/// sum y g of one row.
template <class T, class G>
HWY_INLINE T DotOfRow(const T* y, G g, int64_t n) {
  return SumOf(hn::ScalableTag<T>(), n,
               [&](const auto& io, int64_t i) GRADUS_INLINE_LAMBDA { return hn::Mul(io.load(y + i), g(io, i)); });
}

template <class T>
void SoftmaxBackward(const T* y, const T* g, T* dx, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, y += n, g += n, dx += n) {
    const ArrayOperand<T> cotangent{g};
    const T dot = DotOfRow(y, cotangent, n);
    MapBinary(SoftmaxBackwardOp<T>{dot}, ArrayOperand<T>{y}, cotangent, dx, n);
  }
}

template <class T>
void MaskedSoftmaxBackward(const T* y, const T* g, const uint8_t* keep, T* dx, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, y += n, g += n, dx += n, keep += n) {
    const KeptOperand<T> cotangent{g, keep};
    const T dot = DotOfRow(y, cotangent, n);
    MapBinary(SoftmaxBackwardOp<T>{dot}, ArrayOperand<T>{y}, cotangent, dx, n);
    // 0 times an infinity or NaN would be NaN.
    if (!(dot - dot == 0)) {
      for (int64_t i = 0; i < n; ++i) dx[i] = keep[i] != 0 ? dx[i] : T{0};
    }
  }
}

template <class T>
void LogSoftmax(const T* x, T* y, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) MapUnary(LogSoftmaxOp<T>{RowLogSumExp(x, n)}, x, y, n);
}

/// g - e^y sum. Where e^y is near 1, g is often near sum, and the subtraction would lose the digits of the result.
/// There it is computed as (g - sum) - (e^y - 1) sum.
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
    const T sum = SumOf(d, n, ArrayOperand<T>{g});
    MapBinary(LogSoftmaxBackwardOp<T>{sum}, ArrayOperand<T>{y}, ArrayOperand<T>{g}, dx, n);
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

constexpr int64_t kSoftmaxPiece = 8 << 10;  // elements

}  // namespace

void softmax(const Tensor& x, const Tensor* keep, Tensor& y) {
  const Tensor in = dense(x), mask = dense(keep);
  const auto* kept = pointer<uint8_t>(mask);
  dispatch_float(y.dtype(), [&]<class T>() {
    for_last_axis(y, kSoftmaxPiece, [&](int64_t at, int64_t rows, int64_t n) {
      const T* from = pointer<T>(in) + at;
      if (kept == nullptr) return GRADUS_SIMD(Softmax<T>)(from, pointer<T>(y) + at, rows, n);
      GRADUS_SIMD(MaskedSoftmax<T>)(from, kept + at, pointer<T>(y) + at, rows, n);
    });
  });
}

void softmax_backward(const Tensor& y, const Tensor& g, const Tensor* keep, Tensor& dx) {
  const Tensor out = dense(y), cotangent = dense(g), mask = dense(keep);
  const auto* kept = pointer<uint8_t>(mask);
  dispatch_float(dx.dtype(), [&]<class T>() {
    for_last_axis(dx, kSoftmaxPiece, [&](int64_t at, int64_t rows, int64_t n) {
      const T* p = pointer<T>(out) + at;
      const T* from = pointer<T>(cotangent) + at;
      if (kept == nullptr) return GRADUS_SIMD(SoftmaxBackward<T>)(p, from, pointer<T>(dx) + at, rows, n);
      GRADUS_SIMD(MaskedSoftmaxBackward<T>)(p, from, kept + at, pointer<T>(dx) + at, rows, n);
    });
  });
}

void log_softmax(const Tensor& x, Tensor& y) {
  const Tensor in = dense(x);
  dispatch_float(y.dtype(), [&]<class T>() {
    for_last_axis(y, kSoftmaxPiece, [&](int64_t at, int64_t rows, int64_t n) {
      GRADUS_SIMD(LogSoftmax<T>)(pointer<T>(in) + at, pointer<T>(y) + at, rows, n);
    });
  });
}

void log_softmax_backward(const Tensor& y, const Tensor& g, Tensor& dx) {
  const Tensor out = dense(y), cotangent = dense(g);
  dispatch_float(dx.dtype(), [&]<class T>() {
    for_last_axis(dx, kSoftmaxPiece, [&](int64_t at, int64_t rows, int64_t n) {
      GRADUS_SIMD(LogSoftmaxBackward<T>)
      (pointer<T>(out) + at, pointer<T>(cotangent) + at, pointer<T>(dx) + at, rows, n);
    });
  });
}

}  // namespace gradus::kernels
#endif  // HWY_ONCE

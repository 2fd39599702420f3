// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/reduce.cpp"
#include <gradus/tensor/kernels/reduce-inl.hpp>
#include <gradus/tensor/kernels/reduce.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <ReduceFn kFn>
struct FnLanes {
  using Extreme = MaxLanes;
};
template <>
struct FnLanes<ReduceFn::min> {
  using Extreme = MinLanes;
};

/// What fn gives for no elements.
template <ReduceFn kFn, class T>
HWY_INLINE T Neutral() {
  if constexpr (kFn == ReduceFn::sum) return T{0};
  if constexpr (kFn == ReduceFn::max) return -InfinityOf<T>();
  if constexpr (kFn == ReduceFn::min) return InfinityOf<T>();
}

/// fn(a, b) of lanes; NaN if either is NaN.
template <ReduceFn kFn, class V>
HWY_INLINE V Combine(V a, V b) {
  if constexpr (kFn == ReduceFn::sum) {
    return hn::Add(a, b);
  } else {
    const typename FnLanes<kFn>::Extreme extreme;
    return hn::IfThenElse(hn::Eq(a, a), hn::IfThenElse(hn::Eq(b, b), extreme(a, b), b), a);
  }
}

template <ReduceFn kFn, class T>
HWY_INLINE T ReduceRun(const T* x, size_t n) {
  const hn::ScalableTag<T> d;
  if constexpr (kFn == ReduceFn::sum) {
    return SumLanes(d, SumTerms(d, n, PlainTerms<T>{x}));
  } else {
    using Extreme = typename FnLanes<kFn>::Extreme;
    const size_t lanes = hn::Lanes(d);
    const T neutral = Neutral<kFn, T>();
    const ExtremeTerms<T> terms{x, neutral};
    hn::Vec<decltype(d)> value = hn::Set(d, neutral), nan = hn::Zero(d);
    size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      const auto v = terms.Whole(d, i);
      value = Extreme()(v, value);
      nan = hn::IfThenElse(hn::Eq(v, v), nan, v);
    }
    if (i < n) {
      const auto v = terms.Part(d, i, n - i);
      value = Extreme()(v, value);
      nan = hn::IfThenElse(hn::Eq(v, v), nan, v);
    }
    const T nan_or_zero = SumLanes(d, nan);
    return nan_or_zero == 0 ? Extreme::Across(d, value) : nan_or_zero;
  }
}

template <ReduceFn kFn, class T>
HWY_NOINLINE void RowsOf(const T* x, int64_t rows, int64_t n, T* y) {
  for (int64_t r = 0; r < rows; ++r) y[r] = ReduceRun<kFn>(x + r * n, static_cast<size_t>(n));
}

template <class T>
void Rows(ReduceFn fn, const T* x, int64_t rows, int64_t n, T* y) {
  switch (fn) {
    case ReduceFn::sum:
      return RowsOf<ReduceFn::sum>(x, rows, n, y);
    case ReduceFn::max:
      return RowsOf<ReduceFn::max>(x, rows, n, y);
    case ReduceFn::min:
      return RowsOf<ReduceFn::min>(x, rows, n, y);
  }
}

/// Columns c .. c + 4 lanes of x [n, cols].
template <ReduceFn kFn, class D, class T>
HWY_INLINE void FourColumnVectors(D d, const T* x, int64_t n, int64_t cols, T* y) {
  using V = hn::Vec<D>;
  const size_t lanes = hn::Lanes(d);
  const V neutral = hn::Set(d, Neutral<kFn, T>());
  V t0 = neutral, t1 = neutral, t2 = neutral, t3 = neutral;
  for (int64_t begin = 0; begin < n; begin += int64_t{kSumBlock}) {
    const int64_t end = HWY_MIN(n, begin + int64_t{kSumBlock});
    V s0 = neutral, s1 = neutral, s2 = neutral, s3 = neutral;
    for (int64_t i = begin; i < end; ++i) {
      const T* row = x + i * cols;
      s0 = Combine<kFn>(s0, hn::LoadU(d, row));
      s1 = Combine<kFn>(s1, hn::LoadU(d, row + lanes));
      s2 = Combine<kFn>(s2, hn::LoadU(d, row + 2 * lanes));
      s3 = Combine<kFn>(s3, hn::LoadU(d, row + 3 * lanes));
    }
    t0 = Combine<kFn>(t0, s0);
    t1 = Combine<kFn>(t1, s1);
    t2 = Combine<kFn>(t2, s2);
    t3 = Combine<kFn>(t3, s3);
  }
  hn::StoreU(t0, d, y);
  hn::StoreU(t1, d, y + lanes);
  hn::StoreU(t2, d, y + 2 * lanes);
  hn::StoreU(t3, d, y + 3 * lanes);
}

/// The first `count` columns of x [n, cols], count <= lanes; the same additions as FourColumnVectors.
template <ReduceFn kFn, class D, class T>
HWY_INLINE void OneColumnVector(D d, const T* x, int64_t n, int64_t cols, size_t count, T* y) {
  using V = hn::Vec<D>;
  const bool whole = count == hn::Lanes(d);
  const V neutral = hn::Set(d, Neutral<kFn, T>());
  V total = neutral;
  for (int64_t begin = 0; begin < n; begin += int64_t{kSumBlock}) {
    const int64_t end = HWY_MIN(n, begin + int64_t{kSumBlock});
    V s = neutral;
    if (whole) {
      for (int64_t i = begin; i < end; ++i) s = Combine<kFn>(s, hn::LoadU(d, x + i * cols));
    } else {
      for (int64_t i = begin; i < end; ++i) s = Combine<kFn>(s, LoadPart(d, x + i * cols, count));
    }
    total = Combine<kFn>(total, s);
  }
  if (whole) return hn::StoreU(total, d, y);
  StorePart(d, total, y, count);
}

template <ReduceFn kFn, class T>
HWY_NOINLINE void ColsOf(const T* x, int64_t n, int64_t cols, T* y) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + 4 * lanes <= cols; c += 4 * lanes) FourColumnVectors<kFn>(d, x + c, n, cols, y + c);
  for (; c < cols; c += lanes) {
    OneColumnVector<kFn>(d, x + c, n, cols, static_cast<size_t>(HWY_MIN(lanes, cols - c)), y + c);
  }
}

template <class T>
void Cols(ReduceFn fn, const T* x, int64_t n, int64_t cols, T* y) {
  switch (fn) {
    case ReduceFn::sum:
      return ColsOf<ReduceFn::sum>(x, n, cols, y);
    case ReduceFn::max:
      return ColsOf<ReduceFn::max>(x, n, cols, y);
    case ReduceFn::min:
      return ColsOf<ReduceFn::min>(x, n, cols, y);
  }
}

/// x[i]^2 as double.
template <class T>
struct SquareTerms {
  const T* x;
  template <class D>
  HWY_INLINE hn::Vec<D> Whole(D d, size_t i) const {
    if constexpr (sizeof(T) == sizeof(double)) {
      const auto v = hn::LoadU(d, x + i);
      return hn::Mul(v, v);
    } else {
      const auto v = hn::PromoteTo(d, hn::LoadU(hn::Rebind<T, D>(), x + i));
      return hn::Mul(v, v);
    }
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Part(D d, size_t i, size_t count) const {
    if constexpr (sizeof(T) == sizeof(double)) {
      const auto v = LoadPart(d, x + i, count);
      return hn::Mul(v, v);
    } else {
      const auto v = hn::PromoteTo(d, LoadPart(hn::Rebind<T, D>(), x + i, count));
      return hn::Mul(v, v);
    }
  }
};

template <class T>
double SumSquares(const T* x, int64_t n) {
  const hn::ScalableTag<double> d;
  return SumLanes(d, SumTerms(d, static_cast<size_t>(n), SquareTerms<T>{x}));
}

/// The first i with x[i] equal to `value`, or NaN where `value` is NaN.
template <class T>
HWY_INLINE int64_t FirstIndexOf(const T* x, size_t n, T value) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const bool is_nan = !(value == value);
  const auto wanted = hn::Set(d, value);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    const auto found = is_nan ? hn::Not(hn::Eq(v, v)) : hn::Eq(v, wanted);
    const intptr_t lane = hn::FindFirstTrue(d, found);
    if (lane >= 0) return static_cast<int64_t>(i) + lane;
  }
  for (; i < n; ++i) {
    if (is_nan ? !(x[i] == x[i]) : x[i] == value) return static_cast<int64_t>(i);
  }
  return 0;
}

template <class T>
void ArgmaxRows(const T* x, int64_t rows, int64_t n, int64_t* y) {
  const size_t count = static_cast<size_t>(n);
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * n;
    y[r] = FirstIndexOf(row, count, ReduceRun<ReduceFn::max>(row, count));
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
T sum(const T* x, int64_t n) {
  T y{};
  GRADUS_SIMD(Rows<T>)(ReduceFn::sum, x, 1, n, &y);
  return y;
}

template <class T>
T max(const T* x, int64_t n) {
  T y{};
  GRADUS_SIMD(Rows<T>)(ReduceFn::max, x, 1, n, &y);
  return y;
}

template <class T>
T min(const T* x, int64_t n) {
  T y{};
  GRADUS_SIMD(Rows<T>)(ReduceFn::min, x, 1, n, &y);
  return y;
}

template <class T>
double sum_squares(const T* x, int64_t n) {
  return GRADUS_SIMD(SumSquares<T>)(x, n);
}

template <class T>
void reduce_rows(ReduceFn fn, const T* x, int64_t rows, int64_t n, T* y) {
  GRADUS_SIMD(Rows<T>)(fn, x, rows, n, y);
}

template <class T>
void reduce_cols(ReduceFn fn, const T* x, int64_t n, int64_t cols, T* y) {
  GRADUS_SIMD(Cols<T>)(fn, x, n, cols, y);
}

template <class T>
void argmax_rows(const T* x, int64_t rows, int64_t n, int64_t* y) {
  GRADUS_SIMD(ArgmaxRows<T>)(x, rows, n, y);
}

template float sum<float>(const float*, int64_t);
template double sum<double>(const double*, int64_t);
template float max<float>(const float*, int64_t);
template double max<double>(const double*, int64_t);
template float min<float>(const float*, int64_t);
template double min<double>(const double*, int64_t);
template double sum_squares<float>(const float*, int64_t);
template double sum_squares<double>(const double*, int64_t);
template void reduce_rows<float>(ReduceFn, const float*, int64_t, int64_t, float*);
template void reduce_rows<double>(ReduceFn, const double*, int64_t, int64_t, double*);
template void reduce_cols<float>(ReduceFn, const float*, int64_t, int64_t, float*);
template void reduce_cols<double>(ReduceFn, const double*, int64_t, int64_t, double*);
template void argmax_rows<float>(const float*, int64_t, int64_t, int64_t*);
template void argmax_rows<double>(const double*, int64_t, int64_t, int64_t*);

}  // namespace gradus::kernels
#endif  // HWY_ONCE

// SPDX-License-Identifier: MIT
#include <limits>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/reduce/reduce.cpp"
#include <gradus/tensor/kernels/reduce/reduce-inl.hpp>
#include <gradus/tensor/kernels/reduce/reduce.hpp>

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

/// The result of fn for no elements.
template <ReduceFn kFn, class T>
HWY_INLINE T Neutral() {
  if constexpr (kFn == ReduceFn::sum) return T{0};
  if constexpr (kFn == ReduceFn::prod) return T{1};
  if constexpr (kFn == ReduceFn::max) return -InfinityOf<T>();
  if constexpr (kFn == ReduceFn::min) return InfinityOf<T>();
}

/// fn(a, b) of lanes; NaN if either is NaN.
template <ReduceFn kFn, class V>
HWY_INLINE V Combine(V a, V b) {
  if constexpr (kFn == ReduceFn::sum) {
    return hn::Add(a, b);
  } else if constexpr (kFn == ReduceFn::prod) {
    return hn::Mul(a, b);
  } else {
    const typename FnLanes<kFn>::Extreme extreme;
    return hn::IfThenElse(hn::Eq(a, a), hn::IfThenElse(hn::Eq(b, b), extreme(a, b), b), a);
  }
}

template <class T>
HWY_INLINE T ProductOfRun(const T* x, size_t n) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const size_t lanes = hn::Lanes(d);
  V p0 = hn::Set(d, T{1}), p1 = p0, p2 = p0, p3 = p0;
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    p0 = hn::Mul(p0, hn::LoadU(d, x + i));
    p1 = hn::Mul(p1, hn::LoadU(d, x + i + lanes));
    p2 = hn::Mul(p2, hn::LoadU(d, x + i + 2 * lanes));
    p3 = hn::Mul(p3, hn::LoadU(d, x + i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) p0 = hn::Mul(p0, hn::LoadU(d, x + i));
  if (i < n) p1 = hn::Mul(p1, PartVector<decltype(d)>{d, n - i}.within(LoadPart(d, x + i, n - i), T{1}));
  HWY_ALIGN T parts[HWY_MAX(hn::MaxLanes(d), size_t{1})];
  hn::Store(hn::Mul(hn::Mul(p0, p1), hn::Mul(p2, p3)), d, parts);
  T product = parts[0];
  for (size_t k = 1; k < lanes; ++k) product *= parts[k];
  return product;
}

template <ReduceFn kFn, class T>
HWY_INLINE T ReduceRun(const T* x, size_t n) {
  if constexpr (kFn == ReduceFn::sum) {
    const hn::ScalableTag<T> d;
    return SumOf(d, static_cast<int64_t>(n), ArrayOperand<T>{x});
  } else if constexpr (kFn == ReduceFn::prod) {
    return ProductOfRun(x, n);
  } else {
    return ExtremeOfRun(typename FnLanes<kFn>::Extreme(), x, n, Neutral<kFn, T>());
  }
}

/// Reduces one row that is shorter than a vector.
template <ReduceFn kFn, class T>
HWY_INLINE T ReduceShortRun(const T* x, int64_t n) {
  T value = Neutral<kFn, T>();
  for (int64_t i = 0; i < n; ++i) {
    const T v = x[i];
    if constexpr (kFn == ReduceFn::sum) value += v;
    if constexpr (kFn == ReduceFn::prod) value *= v;
    // A NaN is taken and then kept, because every comparison with it is false.
    if constexpr (kFn == ReduceFn::max) value = v > value || !(v == v) ? v : value;
    if constexpr (kFn == ReduceFn::min) value = v < value || !(v == v) ? v : value;
  }
  return value;
}

/// Reduces rows that are shorter than a vector. A vector holds one element from each of several rows, one row per lane.
template <ReduceFn kFn, class T>
HWY_INLINE void ShortRowsOf(const T* x, int64_t rows, int64_t n, int64_t pitch, T* y) {
  const hn::ScalableTag<T> d;
  const hn::RebindToSigned<decltype(d)> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t r = 0;
  if (pitch * lanes < int64_t{1} << 30) {
    const auto places = hn::Mul(hn::Iota(di, 0), hn::Set(di, static_cast<hn::TFromD<decltype(di)>>(pitch)));
    for (; r + lanes <= rows; r += lanes) {
      auto value = hn::Set(d, Neutral<kFn, T>());
      for (int64_t i = 0; i < n; ++i) value = Combine<kFn>(value, hn::GatherIndex(d, x + r * pitch + i, places));
      hn::StoreU(value, d, y + r);
    }
  }
  for (; r < rows; ++r) y[r] = ReduceShortRun<kFn>(x + r * pitch, n);
}

template <ReduceFn kFn, class T>
HWY_NOINLINE void RowsOf(const T* x, int64_t rows, int64_t n, int64_t pitch, T* y) {
  if (n < static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()))) return ShortRowsOf<kFn>(x, rows, n, pitch, y);
  for (int64_t r = 0; r < rows; ++r) y[r] = ReduceRun<kFn>(x + r * pitch, static_cast<size_t>(n));
}

template <class T>
void Rows(ReduceFn fn, const T* x, int64_t rows, int64_t n, int64_t pitch, T* y) {
  static constexpr decltype(&RowsOf<ReduceFn::sum, T>) kLoops[] = {RowsOf<ReduceFn::sum, T>, RowsOf<ReduceFn::max, T>,
                                                                   RowsOf<ReduceFn::min, T>, RowsOf<ReduceFn::prod, T>};
  kLoops[static_cast<size_t>(fn)](x, rows, n, pitch, y);
}

/// Four vectors of columns of x [n, ..].
template <ReduceFn kFn, class D, class T>
HWY_INLINE void FourColumnVectors(D d, const T* x, int64_t n, int64_t pitch, T* y) {
  using V = hn::Vec<D>;
  const size_t lanes = hn::Lanes(d);
  const V neutral = hn::Set(d, Neutral<kFn, T>());
  V t0 = neutral, t1 = neutral, t2 = neutral, t3 = neutral;
  for (int64_t begin = 0; begin < n; begin += int64_t{kSumBlock}) {
    const int64_t end = HWY_MIN(n, begin + int64_t{kSumBlock});
    V s0 = neutral, s1 = neutral, s2 = neutral, s3 = neutral;
    for (int64_t i = begin; i < end; ++i) {
      const T* row = x + i * pitch;
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

/// The first `count` columns of x [n, ..], count <= lanes; the same additions as FourColumnVectors.
template <ReduceFn kFn, class D, class T>
HWY_INLINE void OneColumnVector(D d, const T* x, int64_t n, int64_t pitch, size_t count, T* y) {
  using V = hn::Vec<D>;
  const bool whole = count == hn::Lanes(d);
  const V neutral = hn::Set(d, Neutral<kFn, T>());
  V total = neutral;
  for (int64_t begin = 0; begin < n; begin += int64_t{kSumBlock}) {
    const int64_t end = HWY_MIN(n, begin + int64_t{kSumBlock});
    V s = neutral;
    if (whole) {
      for (int64_t i = begin; i < end; ++i) s = Combine<kFn>(s, hn::LoadU(d, x + i * pitch));
    } else {
      for (int64_t i = begin; i < end; ++i) s = Combine<kFn>(s, LoadPart(d, x + i * pitch, count));
    }
    total = Combine<kFn>(total, s);
  }
  if (whole) return hn::StoreU(total, d, y);
  StorePart(d, total, y, count);
}

/// Reduces whole vectors of columns, row after row: memory is read in order, and the results stay in the cache. Eight
/// rows are combined before they are added to an accumulator, which so takes at most kStreamRows / 8 numbers.
constexpr int64_t kStreamRows = 8 * int64_t{kSumBlock};

template <ReduceFn kFn, class D, class T>
HWY_INLINE void StreamRows(D d, const T* x, int64_t n, int64_t pitch, int64_t cols, T* y) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto neutral = hn::Set(d, Neutral<kFn, T>());
  for (int64_t c = 0; c < cols; c += lanes) hn::StoreU(neutral, d, y + c);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const T* row = x + i * pitch;
    for (int64_t c = 0; c < cols; c += lanes) {
      const auto pair = [&](int64_t k) HWY_ATTR {
        return Combine<kFn>(hn::LoadU(d, row + k * pitch + c), hn::LoadU(d, row + (k + 1) * pitch + c));
      };
      const auto eight = Combine<kFn>(Combine<kFn>(pair(0), pair(2)), Combine<kFn>(pair(4), pair(6)));
      hn::StoreU(Combine<kFn>(hn::LoadU(d, y + c), eight), d, y + c);
    }
  }
  for (; i < n; ++i) {
    const T* row = x + i * pitch;
    for (int64_t c = 0; c < cols; c += lanes) {
      hn::StoreU(Combine<kFn>(hn::LoadU(d, y + c), hn::LoadU(d, row + c)), d, y + c);
    }
  }
}

template <ReduceFn kFn, class T>
HWY_NOINLINE void ColsOf(const T* x, int64_t n, int64_t pitch, int64_t cols, T* y) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  if (n <= kStreamRows && cols >= 16 * lanes) {
    c = cols - cols % lanes;
    StreamRows<kFn>(d, x, n, pitch, c, y);
  }
  for (; c + 4 * lanes <= cols; c += 4 * lanes) FourColumnVectors<kFn>(d, x + c, n, pitch, y + c);
  for (; c < cols; c += lanes) {
    OneColumnVector<kFn>(d, x + c, n, pitch, static_cast<size_t>(HWY_MIN(lanes, cols - c)), y + c);
  }
}

template <class T>
void Cols(ReduceFn fn, const T* x, int64_t n, int64_t pitch, int64_t cols, T* y) {
  static constexpr decltype(&ColsOf<ReduceFn::sum, T>) kLoops[] = {ColsOf<ReduceFn::sum, T>, ColsOf<ReduceFn::max, T>,
                                                                   ColsOf<ReduceFn::min, T>, ColsOf<ReduceFn::prod, T>};
  kLoops[static_cast<size_t>(fn)](x, n, pitch, cols, y);
}

template <class D, class V>
HWY_INLINE hn::Vec<D> AsDouble(D d, V v) {
  if constexpr (std::is_same_v<V, hn::Vec<D>>)
    return v;
  else
    return hn::PromoteTo(d, v);
}

template <class T>
double SumSquares(const T* x, int64_t n) {
  const hn::ScalableTag<double> d;
  return SumOf(d, n, [&](const auto& io, int64_t i) GRADUS_INLINE_LAMBDA {
    const auto v = AsDouble(io.d, io.of(hn::Rebind<T, hn::ScalableTag<double>>()).load(x + i));
    return hn::Mul(v, v);
  });
}

/// The first i with x[i] equal to `value`; if `value` is NaN, the first NaN.
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
void ArgRows(bool largest, const T* x, int64_t rows, int64_t n, int64_t* y) {
  const size_t count = static_cast<size_t>(n);
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * n;
    y[r] =
        FirstIndexOf(row, count, largest ? ReduceRun<ReduceFn::max>(row, count) : ReduceRun<ReduceFn::min>(row, count));
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
T sum(const T* x, int64_t n) {
  T y{};
  GRADUS_SIMD(Rows<T>)(ReduceFn::sum, x, 1, n, n, &y);
  return y;
}

template <class T>
T max(const T* x, int64_t n) {
  T y{};
  GRADUS_SIMD(Rows<T>)(ReduceFn::max, x, 1, n, n, &y);
  return y;
}

template <class T>
T min(const T* x, int64_t n) {
  T y{};
  GRADUS_SIMD(Rows<T>)(ReduceFn::min, x, 1, n, n, &y);
  return y;
}

template <class T>
double sum_squares(const T* x, int64_t n) {
  return GRADUS_SIMD(SumSquares<T>)(x, n);
}

template <class T>
void reduce_rows(ReduceFn fn, const T* x, int64_t rows, int64_t n, int64_t pitch, T* y) {
  GRADUS_SIMD(Rows<T>)(fn, x, rows, n, pitch, y);
}

template <class T>
void reduce_cols(ReduceFn fn, const T* x, int64_t n, int64_t pitch, int64_t cols, T* y) {
  GRADUS_SIMD(Cols<T>)(fn, x, n, pitch, cols, y);
}

template <class T>
void argmax_rows(const T* x, int64_t rows, int64_t n, int64_t* y) {
  GRADUS_SIMD(ArgRows<T>)(true, x, rows, n, y);
}

template <class T>
void argmin_rows(const T* x, int64_t rows, int64_t n, int64_t* y) {
  GRADUS_SIMD(ArgRows<T>)(false, x, rows, n, y);
}

double neutral_of(ReduceFn fn) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kNeutral[] = {0.0, -kInfinity, kInfinity, 1.0};
  return kNeutral[static_cast<size_t>(fn)];
}

GRADUS_FLOAT_AND_DOUBLE(reduce_rows)
GRADUS_FLOAT_AND_DOUBLE(reduce_cols)
GRADUS_FLOAT_AND_DOUBLE(sum)
GRADUS_FLOAT_AND_DOUBLE(max)
GRADUS_FLOAT_AND_DOUBLE(min)
GRADUS_FLOAT_AND_DOUBLE(sum_squares)
GRADUS_FLOAT_AND_DOUBLE(argmax_rows)
GRADUS_FLOAT_AND_DOUBLE(argmin_rows)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

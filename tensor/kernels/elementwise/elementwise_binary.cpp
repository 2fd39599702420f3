// SPDX-License-Identifier: MIT
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/elementwise/elementwise_binary.cpp"
#include <gradus/tensor/kernels/elementwise/elementwise-inl.hpp>
#include <gradus/tensor/kernels/elementwise/elementwise.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// `chosen` unless a or b is NaN: then that NaN.
template <class V>
HWY_INLINE V OrNaN(V a, V b, V chosen) {
  return hn::IfThenElse(hn::Eq(a, a), hn::IfThenElse(hn::Eq(b, b), chosen, b), a);
}

template <BinaryFn kFn>
struct BinaryOp {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V a, V b) const {
    [[maybe_unused]] const V one = hn::Set(d, hn::TFromD<D>{1});
    if constexpr (kFn == BinaryFn::add) return hn::Add(a, b);
    if constexpr (kFn == BinaryFn::sub) return hn::Sub(a, b);
    if constexpr (kFn == BinaryFn::mul) return hn::Mul(a, b);
    if constexpr (kFn == BinaryFn::div) return hn::Div(a, b);
    if constexpr (kFn == BinaryFn::maximum) return OrNaN(a, b, hn::Max(a, b));
    if constexpr (kFn == BinaryFn::minimum) return OrNaN(a, b, hn::Min(a, b));
    if constexpr (kFn == BinaryFn::tanh_backward) return hn::Mul(b, hn::NegMulAdd(a, a, one));
    if constexpr (kFn == BinaryFn::sigmoid_backward) return hn::Mul(b, hn::Mul(a, hn::Sub(one, a)));
    if constexpr (kFn == BinaryFn::relu_backward) return hn::IfThenZeroElse(hn::Le(a, hn::Zero(d)), b);
  }
};

template <BinaryFn kFn, class T>
HWY_NOINLINE void RunBinary(const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n) {
  WithStrides(a, a_stride, b, b_stride, n,
              [&](auto left, auto right) GRADUS_INLINE_LAMBDA { MapBinary(BinaryOp<kFn>(), left, right, y, n); });
}

template <class T, size_t... kFns>
void BinaryBy(BinaryFn fn, const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n,
              std::index_sequence<kFns...>) {
  static constexpr decltype(&RunBinary<BinaryFn::add, T>) kLoops[] = {RunBinary<static_cast<BinaryFn>(kFns), T>...};
  kLoops[static_cast<size_t>(fn)](a, a_stride, b, b_stride, y, n);
}

template <class T>
void Binary(BinaryFn fn, const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n) {
  BinaryBy(fn, a, a_stride, b, b_stride, y, n,
           std::make_index_sequence<static_cast<size_t>(BinaryFn::relu_backward) + 1>());
}

/// y + alpha x.
template <class T>
struct AxpyOp {
  T alpha;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x, V y) const {
    return hn::MulAdd(hn::Set(d, alpha), x, y);
  }
};

template <class T>
void Axpy(T alpha, const T* x, T* y, int64_t n) {
  MapBinary(AxpyOp<T>{alpha}, ArrayOperand<T>{x}, ArrayOperand<T>{y}, y, n);
}

template <class T>
void AddInplace(const T* x, T* y, int64_t n) {
  MapBinary(BinaryOp<BinaryFn::add>(), ArrayOperand<T>{y}, ArrayOperand<T>{x}, y, n);
}

template <class T>
void Scale(T alpha, const T* x, T* y, int64_t n) {
  MapBinary(BinaryOp<BinaryFn::mul>(), OneOperand<T>{alpha}, ArrayOperand<T>{x}, y, n);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

template <class T>
void binary(BinaryFn fn, const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n) {
  GRADUS_SIMD(Binary<T>)(fn, a, a_stride, b, b_stride, y, n);
}

template <class T>
void add_inplace(const T* x, T* y, int64_t n) {
  GRADUS_SIMD(AddInplace<T>)(x, y, n);
}

template <class T>
void axpy(T alpha, const T* x, T* y, int64_t n) {
  GRADUS_SIMD(Axpy<T>)(alpha, x, y, n);
}

template <class T>
void scale(T alpha, const T* x, T* y, int64_t n) {
  GRADUS_SIMD(Scale<T>)(alpha, x, y, n);
}

GRADUS_FLOAT_AND_DOUBLE(binary)
GRADUS_FLOAT_AND_DOUBLE(add_inplace)
GRADUS_FLOAT_AND_DOUBLE(axpy)
GRADUS_FLOAT_AND_DOUBLE(scale)

}  // namespace gradus::kernels
#endif  // HWY_ONCE

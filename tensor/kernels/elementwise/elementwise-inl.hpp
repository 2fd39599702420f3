// SPDX-License-Identifier: MIT

// The loops that all elementwise kernels share. They process whole vectors, then one partial vector with the same
// instructions, so that an element's result does not depend on its position.

#include <hwy/cache_control.h>

#include <gradus/tensor/kernels/simd/vectors-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_ELEMENTWISE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_ELEMENTWISE_INL
#undef GRADUS_TENSOR_KERNELS_ELEMENTWISE_INL
#else
#define GRADUS_TENSOR_KERNELS_ELEMENTWISE_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// How many elements ahead a long computation prefetches memory. The hardware prefetcher sees too few loads per
/// microsecond to keep up. A prefetch after an array's end is harmless.
inline constexpr size_t kPrefetchElements = 256;

/// y[i] = op(x[i]).
template <class T, class Op>
HWY_INLINE void MapUnary(Op op, const T* x, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const size_t count = static_cast<size_t>(n);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hwy::Prefetch(x + i + kPrefetchElements);
    hwy::Prefetch(y + i + kPrefetchElements);
    hn::StoreU(op(d, hn::LoadU(d, x + i)), d, y + i);
  }
  if (i < count) StorePart(d, op(d, LoadPart(d, x + i, count - i)), y + i, count - i);
}

/// y[i] = op(a[i], b[i]); a and b are ArrayOperands or similar types.
template <class T, class Op, class A, class B>
HWY_INLINE void MapBinary(Op op, A a, B b, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  ForVectors(d, n, [&](const auto& io, int64_t i) GRADUS_INLINE_LAMBDA { io.store(op(d, a(io, i), b(io, i)), y + i); });
}

/// Chooses the loop for the strides of the operands (0 or 1): run(a, b).
template <class T, class Run>
HWY_INLINE void WithStrides(const T* a, int64_t a_stride, const T* b, int64_t b_stride, int64_t n, Run run) {
  if (n <= 0) return;
  if (a_stride != 0 && b_stride != 0) {
    run(ArrayOperand<T>{a}, ArrayOperand<T>{b});
  } else if (a_stride != 0) {
    run(ArrayOperand<T>{a}, OneOperand<T>{*b});
  } else if (b_stride != 0) {
    run(OneOperand<T>{*a}, ArrayOperand<T>{b});
  } else {
    run(OneOperand<T>{*a}, OneOperand<T>{*b});
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target

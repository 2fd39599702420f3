// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Inner loops over n elements, for float and double. Pointers need only the alignment of their type. An output may be
// the same array as an input, but must not overlap it in any other way. The result for one element depends only on its
// values, not on its position, on n or on the alignment. n may be 0.

namespace gradus::kernels {

enum class UnaryFn : uint8_t {
  neg,
  abs,
  sign,  // -1, 0 or 1; zeros and NaN are unchanged
  square,
  sqrt,
  rsqrt,  // 1 / sqrt(x)
  reciprocal,
  exp,
  expm1,
  log,
  log1p,
  tanh,
  sigmoid,
  relu,  // NaN stays NaN
  sin,
  cos,
  erf,
  floor,
  ceil,
  round,  // to the nearest integer, halves to the even one
};

/// y[i] = fn(x[i]).
template <class T>
void unary(UnaryFn fn, const T* x, T* y, int64_t n);

enum class BinaryFn : uint8_t {
  add,
  sub,
  mul,
  div,
  maximum,  // NaN if either is NaN
  minimum,
  // Derivatives, from what the forward pass saved (a) and the output's cotangent (b):
  tanh_backward,     // a = tanh(x): b (1 - a^2)
  sigmoid_backward,  // a = sigmoid(x): b a (1 - a)
  relu_backward,     // a = x: b where x > 0, else 0
};

/// y[i] = fn(a[i a_stride], b[i b_stride]); each stride is 0 or 1.
template <class T>
void binary(BinaryFn fn, const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n);

/// y[i] = fn(a[i], b).
template <class T>
void binary_scalar(BinaryFn fn, const T* a, T b, T* y, int64_t n) {
  binary(fn, a, 1, &b, 0, y, n);
}

/// y[i] += x[i].
template <class T>
void add_inplace(const T* x, T* y, int64_t n);

/// y[i] += alpha x[i].
template <class T>
void axpy(T alpha, const T* x, T* y, int64_t n);

/// y[i] = alpha x[i].
template <class T>
void scale(T alpha, const T* x, T* y, int64_t n);

enum class CompareFn : uint8_t { eq, ne, lt, le, gt, ge };

/// y[i] = fn(a[i a_stride], b[i b_stride]) as 0 or 1; each stride is 0 or 1. When an operand is NaN, only `ne` is 1.
template <class T>
void compare(CompareFn fn, const T* a, int64_t a_stride, const T* b, int64_t b_stride, uint8_t* y, int64_t n);

/// y[i] = keep[i keep_stride] != 0 ? a[i a_stride] : b[i b_stride]; each stride is 0 or 1.
template <class T>
void where(const uint8_t* keep, int64_t keep_stride, const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y,
           int64_t n);

}  // namespace gradus::kernels

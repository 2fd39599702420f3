// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <gradus/tensor/dtype.hpp>
#include <gradus/tensor/kernels/elementwise/elementwise.hpp>

// The loops of elementwise.hpp for i64 and bool. A sum, difference or product that does not fit i64 wraps around, as in
// NumPy and PyTorch.

namespace gradus::kernels {

inline int64_t wrapping_add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
inline int64_t wrapping_mul(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

/// neg, abs, sign and square; floor, ceil and round do not change an integer.
template <>
void unary<int64_t>(UnaryFn fn, const int64_t* x, int64_t* y, int64_t n);

/// add, sub, mul, maximum and minimum.
template <>
void binary<int64_t>(BinaryFn fn, const int64_t* a, int64_t a_stride, const int64_t* b, int64_t b_stride, int64_t* y,
                     int64_t n);

template <>
void add_inplace<int64_t>(const int64_t* x, int64_t* y, int64_t n);

/// y[i] = scale x[i] + shift.
void affine_integers(const int64_t* x, int64_t scale, int64_t shift, int64_t* y, int64_t n);

/// Bools are bytes of 0 and 1.
template <>
void compare<int64_t>(CompareFn fn, const int64_t* a, int64_t a_stride, const int64_t* b, int64_t b_stride, uint8_t* y,
                      int64_t n);
template <>
void compare<uint8_t>(CompareFn fn, const uint8_t* a, int64_t a_stride, const uint8_t* b, int64_t b_stride, uint8_t* y,
                      int64_t n);

template <>
void where<int64_t>(const uint8_t* keep, int64_t keep_stride, const int64_t* a, int64_t a_stride, const int64_t* b,
                    int64_t b_stride, int64_t* y, int64_t n);
template <>
void where<uint8_t>(const uint8_t* keep, int64_t keep_stride, const uint8_t* a, int64_t a_stride, const uint8_t* b,
                    int64_t b_stride, uint8_t* y, int64_t n);

}  // namespace gradus::kernels

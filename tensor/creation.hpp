// SPDX-License-Identifier: MIT
// Makes tensors: arange, linspace, eye, one_hot, and borrow for memory of your own.
#pragma once

#include <gradus/tensor/tensor.hpp>

// More ways to make tensors; zeros, ones, full, scalar and Tensor::from stand in tensor.hpp, random ones in random.hpp.

namespace gradus {

struct ArangeOptions {
  /// Not 0; negative counts down.
  double step = 1.0;
  DType dtype = DType::f32;
};

/// start, start + step, ... before stop, as [n]: element i is start + i step, computed in double. Empty when stop does
/// not lie ahead of start. Throws unless all are finite, and whole numbers when the dtype is i64; bool is refused.
GRADUS_API Tensor arange(double start, double stop, const ArangeOptions& options = {});

/// `count` numbers from start to stop, both included and exact; the first of them alone when count is 1. Floating.
GRADUS_API Tensor linspace(double start, double stop, int64_t count, TensorOptions options = {});

/// [rows, columns], 1 where both indices are equal, else 0.
GRADUS_API Tensor eye(int64_t rows, int64_t columns, TensorOptions options = {});
inline Tensor eye(int64_t size, TensorOptions options = {}) { return eye(size, size, options); }

/// indices i64 [..], each in [0, classes) -> [.., classes], 1 at each index, else 0. Throws naming an index out of
/// range.
GRADUS_API Tensor one_hot(const Tensor& indices, int64_t classes, TensorOptions options = {});

/// A tensor over somebody else's elements, row-major, without a copy: they must stay where they are until
/// `release(context)`, which is called once, when the last tensor that shares them goes (on whatever thread that is;
/// may be null). Throws when their number is not the shape's; then nothing is released.
template <class T>
Tensor borrow(std::span<T> values, const Shape& shape, void (*release)(void* context) = nullptr,
              void* context = nullptr);

namespace detail {
GRADUS_API Tensor borrowed(void* values, size_t count, const Shape& shape, DType dtype, void (*release)(void*),
                           void* context);
}  // namespace detail

template <class T>
Tensor borrow(std::span<T> values, const Shape& shape, void (*release)(void*), void* context) {
  return detail::borrowed(values.data(), values.size(), shape, dtype_of<T>, release, context);
}

}  // namespace gradus

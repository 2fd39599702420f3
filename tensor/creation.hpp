// SPDX-License-Identifier: MIT
// Makes tensors: arange, linspace, eye, one_hot, and borrow for memory of your own.
#pragma once

#include <gradus/tensor/tensor.hpp>

// More functions that make tensors. zeros, ones, full, scalar and Tensor::from are in tensor.hpp, the random ones in
// random.hpp.

namespace gradus {

struct ArangeOptions {
  /// The step must not be 0. A negative one counts down.
  double step = 1.0;
  DType dtype = DType::f32;
};

/// start, start + step, ... before stop, as [n]. Element i is start + i step, computed in double. Empty when the step
/// leads away from stop. Throws unless all numbers are finite, and whole when the dtype is i64. Refuses bool.
GRADUS_API Tensor arange(double start, double stop, const ArangeOptions& options = {});

/// `count` numbers from start to stop, both included and exact. With count 1, only start. The dtype must be floating.
GRADUS_API Tensor linspace(double start, double stop, int64_t count, TensorOptions options = {});

/// [rows, columns] with 1 where both indices are equal, else 0.
GRADUS_API Tensor eye(int64_t rows, int64_t columns, TensorOptions options = {});
inline Tensor eye(int64_t size, TensorOptions options = {}) { return eye(size, size, options); }

/// Takes indices i64 [..], each in [0, classes), and returns [.., classes] with 1 at each index, else 0. An index out
/// of range throws and is named.
GRADUS_API Tensor one_hot(const Tensor& indices, int64_t classes, TensorOptions options = {});

/// A tensor over the caller's elements, row-major, without a copy. The elements must not move until `release(context)`.
/// That is called once, when the last tensor that shares them is destroyed, on that thread; it may be null. Throws when
/// the number of elements does not match the shape, and then releases nothing.
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

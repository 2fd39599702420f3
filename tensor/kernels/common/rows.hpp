// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/tensor.hpp>

// Helpers of the functions on tensors that call the kernels: they choose the element type, make operands dense, get
// pointers to their bytes, and cut the work into pieces.

namespace gradus::kernels {

/// dispatch_float for f32 and f64, and the same for i64.
template <class Body>
decltype(auto) dispatch_numbers(DType dtype, Body&& body) {
  if (dtype == DType::i64) return body.template operator()<int64_t>();
  return dispatch_float(dtype, body);
}

/// x, copied unless it is dense. An undefined x stays undefined.
inline Tensor dense(const Tensor& x) { return x.defined() ? x.contiguous() : x; }
inline Tensor dense(const Tensor* x) { return x != nullptr ? x->contiguous() : Tensor(); }

/// A pointer to the first element; null for an undefined tensor.
template <class T>
const T* pointer(const Tensor& x) {
  return x.defined() ? static_cast<const T*>(x.raw_data()) : nullptr;
}
template <class T>
T* pointer(Tensor& x) {
  return x.defined() ? static_cast<T*>(x.raw_data()) : nullptr;
}

/// p + offset, or null when p is null.
template <class T>
T* shifted(T* p, int64_t offset) {
  return p != nullptr ? p + offset : nullptr;
}

/// The number of rows of `width` elements in a piece of work of about `elements` elements.
inline int64_t rows_of_piece(int64_t elements, int64_t width) {
  return std::max<int64_t>(1, elements / std::max<int64_t>(1, width));
}

/// Calls body(first row, number of rows) for pieces of `grain` rows. A single piece costs no more than the call.
template <class Body>
void for_rows(int64_t rows, int64_t grain, const Body& body) {
  if (rows <= grain) return body(int64_t{0}, rows);
  parallel_for(
      rows, [&](int64_t begin, int64_t end) { body(begin, end - begin); }, grain);
}

/// Calls body(first element, number of rows, their length) for pieces of about `elements` of the rows along the last
/// axis of x.
template <class Body>
void for_last_axis(const Tensor& x, int64_t elements, const Body& body) {
  const int64_t n = x.shape()[x.rank() - 1];
  for_rows(x.shape().without(x.rank() - 1).numel(), rows_of_piece(elements, n),
           [&](int64_t first, int64_t rows) { body(first * n, rows, n); });
}

}  // namespace gradus::kernels

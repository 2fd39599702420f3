// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <vector>

#include <gradus/tensor/tensor.hpp>

namespace gradus::tests {

/// A dense tensor with the numbers of a vector, and the numbers of a dense tensor.
template <class T>
Tensor tensor_of(const std::vector<T>& values, const Shape& shape) {
  Tensor out = Tensor::empty(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), static_cast<T*>(out.raw_data()));
  return out;
}

template <class T>
std::vector<T> vector_of(const Tensor& x) {
  const T* values = static_cast<const T*>(x.raw_data());
  return std::vector<T>(values, values + x.numel());
}

}  // namespace gradus::tests

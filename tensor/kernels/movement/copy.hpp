// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

namespace gradus::kernels {

/// to = from, element by element; equal shapes and dtypes, any strides.
void copy(const Tensor& from, Tensor& to);

/// to = from with another dtype. Floating to integer truncates; NaN becomes 0, and a number outside int64 becomes the
/// nearest int64. To bool: whether the number is not zero.
void convert(const Tensor& from, Tensor& to);

/// Sets every element of `to` to value, converted in the same way.
void fill(Tensor& to, double value);

}  // namespace gradus::kernels

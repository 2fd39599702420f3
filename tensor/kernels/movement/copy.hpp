// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

namespace gradus::kernels {

/// to = from, element by element; equal shapes and dtypes, any strides.
void copy(const Tensor& from, Tensor& to);

/// to = from with another dtype: floating to integer truncates, with NaN as 0 and what int64 cannot hold as its nearest
/// end; to bool: not equal to zero.
void convert(const Tensor& from, Tensor& to);

/// Every element of `to` = value, converted in the same way.
void fill(Tensor& to, double value);

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

namespace gradus::kernels {

/// The first elements of every line of x along `axis` in sorted order, as many as `values` has, and where they stood
/// (indices, i64). Equal elements keep their order; NaN comes last in either direction. Outputs are dense; floating.
void sort(const Tensor& x, int axis, bool descending, Tensor& values, Tensor& indices);

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

namespace gradus::kernels {

/// Sorts every line of x along `axis`, and writes its first elements, as many as `values` has, and their positions in x
/// (indices, i64). Equal elements keep their order; NaN comes last in either direction. Outputs are dense; x is
/// floating.
void sort(const Tensor& x, int axis, bool descending, Tensor& values, Tensor& indices);

}  // namespace gradus::kernels

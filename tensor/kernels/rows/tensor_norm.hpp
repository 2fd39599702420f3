// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

// norm.hpp over tensors: x [N, D], weight and bias [D] or null, mean and rstd [N]. Outputs are dense; inputs have any
// strides.

namespace gradus::kernels {

/// Layer norm, or RMS norm where `mean` is null.
void norm(const Tensor& x, const Tensor* weight, const Tensor* bias, double eps, Tensor& y, Tensor* mean, Tensor& rstd);

/// dweight: null when it is not wanted.
void norm_backward(const Tensor& x, const Tensor* weight, const Tensor& g, const Tensor* mean, const Tensor& rstd,
                   double eps, Tensor& dx, Tensor* dweight);

}  // namespace gradus::kernels

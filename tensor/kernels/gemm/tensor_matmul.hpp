// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

namespace gradus::kernels {

/// c [.., m, n] = a [.., m, k] b [.., k, n]: equal leading axes and dtypes, c dense. Reads transposed and
/// batch-expanded views without copying. Copies an operand only when neither of its last two strides is 1.
void matmul(const Tensor& a, const Tensor& b, Tensor& c);

/// y [N, out] = x [N, in] w[out, in]^T + bias [out] (null: no bias); y dense.
void linear(const Tensor& x, const Tensor& w, const Tensor* bias, Tensor& y);

}  // namespace gradus::kernels

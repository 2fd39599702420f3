// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

// The attention kernels on tensors of any strides.

namespace gradus::kernels {

/// scores [B, Tq, Tk] from q [B, Tq, A], k [B, Tk, A], v [A]; see additive_score.hpp for the formula.
void additive_score(const Tensor& q, const Tensor& k, const Tensor& v, Tensor& scores);

/// dq, dk, dv (dense, of the inputs' shapes) from the cotangent g [B, Tq, Tk].
void additive_score_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& g, Tensor& dq, Tensor& dk,
                             Tensor& dv);

}  // namespace gradus::kernels

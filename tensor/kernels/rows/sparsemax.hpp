// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

// Sparsemax and 1.5-entmax along the last axis of tensors, f32 or f64. Inputs have any strides, outputs are dense. A
// row that contains NaN or +infinity, or only -infinity, is NaN at its kept positions, as in softmax.

namespace gradus::kernels {

enum class SparseFn : uint8_t {
  sparsemax,  // y = max(x - t, 0) with t such that the row sums to 1
  entmax15,   // y = max(x / 2 - t, 0)^2
};

/// keep (bool of x's shape, or null): the other positions are exactly 0 whatever x contains there, and so is a row
/// without a kept position. In sparsemax, an element within a few roundings of t is outside the support. The derivative
/// jumps there, and rounding must not decide on which side a tie is.
void sparse_probabilities(SparseFn fn, const Tensor& x, const Tensor* keep, Tensor& y);
/// dx = s (g - sum(s g) / sum(s)) where y > 0, else 0; s = 1 for sparsemax, sqrt(y) for entmax15.
void sparse_probabilities_backward(SparseFn fn, const Tensor& y, const Tensor& g, Tensor& dx);

}  // namespace gradus::kernels

// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

// sparsemax.hpp over the last axis of tensors. Outputs are dense; inputs have any strides.

namespace gradus::kernels {

enum class SparseFn : uint8_t { sparsemax, entmax15 };

/// keep: bool of x's shape, or null.
void sparse_probabilities(SparseFn fn, const Tensor& x, const Tensor* keep, Tensor& y);
void sparse_probabilities_backward(SparseFn fn, const Tensor& y, const Tensor& g, Tensor& dx);

}  // namespace gradus::kernels

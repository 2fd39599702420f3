// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

// Row-wise functions of tensors over the last axis. Outputs are dense; inputs have any strides.

namespace gradus::kernels {

/// y = softmax of x; keep (bool, same shape, or null): blocked elements are 0, a row all blocked is 0.
void softmax(const Tensor& x, const Tensor* keep, Tensor& y);
/// dx = y (g - sum(y g)), 0 where blocked.
void softmax_backward(const Tensor& y, const Tensor& g, const Tensor* keep, Tensor& dx);

/// logits [N, C], targets i64 [N]: loss = lse - logits[target], or 0 where target == ignored. Throws
/// `[cross_entropy] target out of range: ...`.
void cross_entropy(const Tensor& logits, const Tensor& targets, int64_t ignored, Tensor& loss, Tensor& lse);
/// dx = (exp(logits - lse) - onehot(target)) g, or 0 where target == ignored.
void cross_entropy_backward(const Tensor& logits, const Tensor& targets, int64_t ignored, const Tensor& g,
                            const Tensor& lse, Tensor& dx);

}  // namespace gradus::kernels

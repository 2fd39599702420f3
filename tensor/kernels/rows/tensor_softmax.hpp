// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

// Row-wise functions of tensors over the last axis. Outputs are dense; inputs have any strides.

namespace gradus::kernels {

/// y = softmax of x; keep (bool, same shape, or null): blocked elements are 0, a row all blocked is 0.
void softmax(const Tensor& x, const Tensor* keep, Tensor& y);
/// dx = y (g - sum(y g)), 0 where blocked.
void softmax_backward(const Tensor& y, const Tensor& g, const Tensor* keep, Tensor& dx);

/// y = x - logsumexp(x).
void log_softmax(const Tensor& x, Tensor& y);
/// dx = g - exp(y) sum(g).
void log_softmax_backward(const Tensor& y, const Tensor& g, Tensor& dx);

/// Targets that count for nothing, and the share of the probability that is spread over all classes.
struct ClassTargets {
  int64_t ignored;
  double smoothing;
  bool operator==(const ClassTargets&) const = default;
};

/// logits [N, C], targets i64 [N]: loss = lse - (1 - s) logits[target] - s mean(logits), s the smoothing, or 0 where
/// target == ignored. Throws `[cross_entropy] target out of range: ...`.
void cross_entropy(const Tensor& logits, const Tensor& targets, const ClassTargets& rule, Tensor& loss, Tensor& lse);
/// dx = (exp(logits - lse) - (1 - s) onehot(target) - s / C) g, or 0 where target == ignored.
void cross_entropy_backward(const Tensor& logits, const Tensor& targets, const ClassTargets& rule, const Tensor& g,
                            const Tensor& lse, Tensor& dx);

}  // namespace gradus::kernels

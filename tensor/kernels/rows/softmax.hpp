// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

// Softmax and related functions along the last axis of tensors, f32 or f64. Inputs have any strides, outputs are dense;
// y may be x, and dx may be y or g. The maximum of a row is subtracted first, so that no finite row overflows.

namespace gradus::kernels {

/// y = e^(x - max) / sum e^(x - max): NaN for a row of -infinity. With `keep` (bool of x's shape, or null) only kept
/// positions count. All others are exactly 0 whatever x contains there, and so is a row without a kept position.
void softmax(const Tensor& x, const Tensor* keep, Tensor& y);
/// dx = y (g - sum y g); exactly 0 where keep is false, whatever g contains there.
void softmax_backward(const Tensor& y, const Tensor& g, const Tensor* keep, Tensor& dx);

/// y = x - logsumexp(x).
void log_softmax(const Tensor& x, Tensor& y);
/// dx = g - e^y sum g.
void log_softmax_backward(const Tensor& y, const Tensor& g, Tensor& dx);

/// The target that is ignored, and the share s of the probability that is spread over all classes.
struct ClassTargets {
  int64_t ignored;
  double smoothing;
};

/// For logits x [N, C] and targets i64 [N], each in [0, C) or equal to `ignored`:
///   loss = logsumexp(x) - (1 - s) x[target] - s mean(x), or 0 where the target is ignored
/// lse [N, 2] is logsumexp(x) in two parts, because their sum would be rounded: the largest logit (0 where that is not
/// finite), and log sum e^(x - that). Throws `[cross_entropy] target out of range: ...`.
void cross_entropy(const Tensor& logits, const Tensor& targets, const ClassTargets& rule, Tensor& loss, Tensor& lse);
/// dx = (e^(x - logsumexp(x)) - (1 - s) onehot(target) - s / C) g, or 0 where the target is ignored; g [N].
void cross_entropy_backward(const Tensor& logits, const Tensor& targets, const ClassTargets& rule, const Tensor& g,
                            const Tensor& lse, Tensor& dx);

}  // namespace gradus::kernels

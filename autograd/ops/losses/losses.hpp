// SPDX-License-Identifier: MIT
// Losses: cross entropy, mean squared error and others.
#pragma once

#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/variable.hpp>

// Losses element by element: input and target have the same shape and floating dtype, and both are differentiable. The
// mean is over all elements, and 0 when there are none. Each throws Error `[mse_loss] input and target differ: ...`.

namespace gradus {

struct LossOptions {
  Reduction reduction = Reduction::mean;
};

/// (input - target)^2.
GRADUS_API Variable mse_loss(const Variable& input, const Variable& target, LossOptions options = {});
/// |input - target|; derivative 0 where they are equal.
GRADUS_API Variable l1_loss(const Variable& input, const Variable& target, LossOptions options = {});

struct HuberOptions {
  /// The |d| at which the loss changes from quadratic to linear; > 0.
  double delta = 1.0;
  Reduction reduction = Reduction::mean;
};
/// d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2); d = input - target (Huber 1964).
GRADUS_API Variable huber_loss(const Variable& input, const Variable& target, HuberOptions options = {});

struct BinaryCrossEntropyOptions {
  /// If given: weight of the positive targets, broadcast to the logits' shape.
  Variable pos_weight = {};
  Reduction reduction = Reduction::mean;
};
/// -(w t log(s) + (1 - t) log(1 - s)), s = sigmoid(logits), t in [0, 1] the target, w = pos_weight or 1. Finite for
/// every finite logit, and exact where the loss is small.
GRADUS_API Variable binary_cross_entropy_with_logits(const Variable& logits, const Variable& target,
                                                     const BinaryCrossEntropyOptions& options = {});

struct KlDivOptions {
  /// The target holds logarithms of probabilities, as the input does.
  bool log_target = false;
  Reduction reduction = Reduction::mean;
};
/// t (log t - input), where input is the logarithm of a probability and t >= 0 is the target. Where t is 0, the loss
/// and its gradients are 0 for any input. For the divergence of a batch of rows, divide the sum by the number of rows,
/// instead of taking the mean.
GRADUS_API Variable kl_div(const Variable& input, const Variable& target, KlDivOptions options = {});

}  // namespace gradus

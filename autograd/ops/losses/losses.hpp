// SPDX-License-Identifier: MIT
// Losses: cross entropy, mean squared error and others.
#pragma once

#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/variable.hpp>

// Losses element by element: input and target of one shape and floating dtype, both differentiable. The mean is over
// all elements, and 0 when there are none. Each throws Error `[mse_loss] input and target differ: ...`.

namespace gradus {

struct LossOptions {
  Reduction reduction = Reduction::mean;
};

/// (input - target)^2.
GRADUS_API Variable mse_loss(const Variable& input, const Variable& target, LossOptions options = {});
/// |input - target|; derivative 0 where they are equal.
GRADUS_API Variable l1_loss(const Variable& input, const Variable& target, LossOptions options = {});

struct HuberOptions {
  /// Where the square ends and the line begins; > 0.
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
/// t (log t - input), input the logarithm of a probability and t >= 0 the target; 0 where t is 0, gradients included,
/// whatever the input. The divergence of a batch of rows is the sum over the number of rows, not the mean.
GRADUS_API Variable kl_div(const Variable& input, const Variable& target, KlDivOptions options = {});

}  // namespace gradus

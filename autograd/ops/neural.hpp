// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/variable.hpp>
#include <gradus/tensor/random.hpp>

namespace gradus {

/// softmax over the last axis of x [.., n]. With `keep` (bool, broadcast to x; true = takes part) a blocked element is
/// exactly 0, and a row that is all blocked is 0 throughout, with gradient 0; without it a row of -inf stays NaN.
GRADUS_API Variable softmax(const Variable& x, const Variable& keep = {});
/// The vjp of softmax from its output y: y (g - sum(y g)); exactly 0 where `keep` (optional, y's shape) blocks,
/// whatever g holds there.
GRADUS_API Variable softmax_backward(const Variable& y, const Variable& g, const Variable& keep = {});

struct CrossEntropyOptions {
  /// Rows with this target have loss 0 and gradient 0.
  int64_t ignore_index = -100;
};

/// -log softmax(logits)[target] of each row: logits [.., C], targets i64 [..] in [0, C) or ignore_index -> [..].
/// Throws naming a target that is out of range.
GRADUS_API Variable cross_entropy_rows(const Variable& logits, const Variable& targets,
                                       CrossEntropyOptions options = {});
/// Its mean over the rows that are not ignored (a scalar); 0 with gradient 0 when all are.
GRADUS_API Variable cross_entropy(const Variable& logits, const Variable& targets, CrossEntropyOptions options = {});

/// x / (1 - p) with probability 1 - p, else 0 (Srivastava et al. 2014). The mask is a function of `key` alone, so that
/// the derivative, at any order, repeats it. Requires 0 <= p < 1.
GRADUS_API Variable dropout(const Variable& x, double p, DropoutKey key);

}  // namespace gradus

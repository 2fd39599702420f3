// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/ops/neural/neural.hpp>

// Common parts of the losses on class numbers. `op` is the name in messages.

namespace gradus::class_losses {

/// Throws unless x is [.., C], targets i64 [..], weight [C] of x's dtype, 0 <= label_smoothing <= 1.
void check(const Variable& x, const Variable& targets, const CrossEntropyOptions& options, const char* op);

/// [N]: the weight of each row: that of its target or 1, and 0 where the target is ignored.
Variable row_weights(const Variable& targets, DType dtype, const CrossEntropyOptions& options, const char* op);

/// Reduces the losses of rows [N] by options.reduction. They already include weights and ignored rows.
Variable reduced(const Variable& losses, const Variable& targets, const CrossEntropyOptions& options);

/// nll_loss after the checks.
Variable nll(const Variable& log_probs, const Variable& targets, const CrossEntropyOptions& options, const char* op);

}  // namespace gradus::class_losses

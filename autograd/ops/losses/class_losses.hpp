// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/ops/neural/neural.hpp>

// What the losses on class numbers share. `op` is the name in messages.

namespace gradus::class_losses {

/// Throws unless x is [.., C], targets i64 [..], weight [C] of x's dtype, 0 <= label_smoothing <= 1.
void check(const Variable& x, const Variable& targets, const CrossEntropyOptions& options, const char* op);

/// [N]: what each row counts: the weight of its target or 1, 0 where the target is ignored.
Variable row_weights(const Variable& targets, DType dtype, const CrossEntropyOptions& options, const char* op);

/// Losses of rows [N], in which weights and ignored rows are accounted for, by options.reduction.
Variable reduced(const Variable& losses, const Variable& targets, const CrossEntropyOptions& options);

/// nll_loss after the checks.
Variable nll(const Variable& log_probs, const Variable& targets, const CrossEntropyOptions& options, const char* op);

}  // namespace gradus::class_losses

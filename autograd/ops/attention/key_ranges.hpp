// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/ops/sequence/sequence.hpp>

namespace gradus {

/// The keys that `causal`, `window` and `lengths` allow to each query, i64 [B or 1, Tq or 1, 2]: the first one, and the
/// one after the last. Undefined when they allow all keys, or when an operand has not four axes.
Variable key_ranges(const DotProductAttentionOptions& options, const Variable& query, const Variable& key);

}  // namespace gradus

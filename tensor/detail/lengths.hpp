// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <gradus/tensor/tensor.hpp>

// Lengths of the rows of a padded batch: the one check that all cells, decoders and masks share.

namespace gradus {

struct LengthRange {
  int64_t least = 0;
  int64_t most = 0;
};

constexpr int64_t kAnyRows = -1;

/// The shortest and the longest of `lengths`; of no rows, `limit` and 0. Throws `[who] wrong lengths: ...` unless they
/// are i64 [rows] (any number with kAnyRows), each from 0 to `limit`.
GRADUS_API LengthRange require_lengths(const char* who, const Tensor& lengths, int64_t rows, int64_t limit);

/// bool [B, steps]: true at the steps before each length. Requires lengths i64 [B].
GRADUS_API Tensor valid_steps(const Tensor& lengths, int64_t steps);

}  // namespace gradus

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <gradus/tensor/tensor.hpp>

// The lengths of the rows of a padded batch. All cells, decoders and masks share this check.

namespace gradus {

struct LengthRange {
  int64_t least = 0;
  int64_t most = 0;
};

constexpr int64_t kAnyRows = -1;
constexpr int64_t kAnyLength = INT64_MAX;

/// The shortest and the longest of `lengths`, or `limit` and 0 when there are no rows. Throws `[who] wrong lengths:
/// ...` unless they are i64 [rows] (any number with kAnyRows), each from 0 to `limit` (without end with kAnyLength).
GRADUS_API LengthRange require_lengths(const char* who, const Tensor& lengths, int64_t rows, int64_t limit);

/// bool [B, steps], true at the steps before each length. `lengths` must be i64 [B].
GRADUS_API Tensor valid_steps(const Tensor& lengths, int64_t steps);

}  // namespace gradus

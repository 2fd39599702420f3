// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <vector>

#include <gradus/autograd/variable.hpp>

// Functions that copy elements to other places. Any dtype; axes may be negative. Each throws Error when an axis is out
// of range, or when the result would have more elements than 64 bits can address.

namespace gradus {

/// The given axes (none given: all) from their last element to their first.
GRADUS_API Variable flip(const Variable& x, std::initializer_list<int> axes);

struct RollOptions {
  int64_t axis = -1;
  int64_t shift = 0;
  bool operator==(const RollOptions&) const = default;
};
/// Each element `shift` places further along an axis (negative: back), round the end.
GRADUS_API Variable roll(const Variable& x, const RollOptions& options);

/// How many elements come before and after those of one axis; >= 0.
struct Padding {
  int64_t before = 0;
  int64_t after = 0;
  bool operator==(const Padding&) const = default;
};

struct PadOptions {
  double value = 0.0;
};

/// x with `value` around it; one Padding for each axis.
GRADUS_API Variable pad(const Variable& x, const std::vector<Padding>& paddings, PadOptions options = {});

/// The whole of x one after the other, counts[k] >= 0 times along axis k; one count for each axis.
GRADUS_API Variable repeat(const Variable& x, const std::vector<int64_t>& counts);
/// NumPy's tile: repeat, with as many axes of size 1 in front of x, or counts of 1 in front of these, as are missing.
GRADUS_API Variable tile(const Variable& x, const std::vector<int64_t>& counts);

}  // namespace gradus

// SPDX-License-Identifier: MIT
// Compares two tensors: largest error, all finite, all zero.
#pragma once

#include <gradus/tensor/tensor.hpp>

// Comparisons of tensors, for checks and tests.

namespace gradus {

/// The largest abs(a - b) / max(1, abs(a), abs(b)), computed in double. Equal infinities count as equal, and so does
/// NaN with NaN. Any other difference that involves a value that is not finite counts as infinite, and so do different
/// shapes.
[[nodiscard]] GRADUS_API double largest_error(const Tensor& a, const Tensor& b);

/// Whether every element is 0 (or -0).
[[nodiscard]] GRADUS_API bool all_zero(const Tensor& a);

/// Whether no element is infinite or NaN.
[[nodiscard]] GRADUS_API bool all_finite(const Tensor& a);

}  // namespace gradus

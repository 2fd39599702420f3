// SPDX-License-Identifier: MIT
// Compares two tensors: largest error, all finite, all zero.
#pragma once

#include <gradus/tensor/tensor.hpp>

// How far tensors are apart: for checks and tests.

namespace gradus {

/// The largest abs(a - b) / max(1, abs(a), abs(b)), computed in double; equal infinities and NaN against NaN count as
/// equal, any other difference of what is not finite, and different shapes, as infinite.
[[nodiscard]] GRADUS_API double largest_error(const Tensor& a, const Tensor& b);

/// Every element is 0 (or -0).
[[nodiscard]] GRADUS_API bool all_zero(const Tensor& a);

/// No element is infinite or NaN.
[[nodiscard]] GRADUS_API bool all_finite(const Tensor& a);

}  // namespace gradus

// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>

#include <gradus/autograd/variable.hpp>

namespace gradus {

struct ReduceOptions {
  /// Keep the reduced axes, with size 1.
  bool keepdim = false;
};

/// Sum over some axes (negative: from the end), or over all of them.
GRADUS_API Variable sum(const Variable& x, std::initializer_list<int> axes, ReduceOptions options = {});
GRADUS_API Variable sum(const Variable& x);
/// Mean over some axes, or over all; NaN over nothing.
GRADUS_API Variable mean(const Variable& x, std::initializer_list<int> axes, ReduceOptions options = {});
GRADUS_API Variable mean(const Variable& x);
/// The opposite of expand: sums x over what expand(.., x.shape()) repeated, to `shape`.
GRADUS_API Variable sum_to(const Variable& x, const Shape& shape);

}  // namespace gradus

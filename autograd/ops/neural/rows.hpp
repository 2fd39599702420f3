// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/tensor/error.hpp>

namespace gradus::detail {

/// For an op over the rows of x, which are its last axis.
inline void require_rows(const ShapeArgs& s) {
  GRADUS_CHECK(s.shape(0).rank() >= 1, "[", s.op_name(), "] expected at least one axis, got ", s.describe(0));
}

/// x [..., D] -> [..., 1]
inline Variable row_sum(const Variable& x) { return sum(x, {-1}, {.keepdim = true}); }

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce_axes.hpp>
#include <gradus/autograd/ops/views/views.hpp>

namespace gradus::detail {

/// The largest element of x over some axes, as a constant; 0 where it is not finite. It is subtracted from x before
/// exp, so that exp does not overflow and does not make a whole row 0. It may be a constant because the results do not
/// depend on the shift, and so their derivatives do not either.
inline Variable largest_shift(const Variable& x, uint32_t axes) {
  const Variable zero = zeros({}, {.dtype = x.dtype()});
  if (x.numel() == 0) return expand(zero, reduced_shape(x.shape(), axes));
  const Variable largest = apply(max_op, ReduceAttrs{axes}, {&x}).detach();
  return where(less(abs(largest), HUGE_VAL), largest, zero);
}

/// Over the last axis.
inline Variable largest_shift(const Variable& x) { return largest_shift(x, 1U << (x.rank() - 1)); }

}  // namespace gradus::detail

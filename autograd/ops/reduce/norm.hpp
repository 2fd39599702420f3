// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/ops/reduce/reduce_axes.hpp>

namespace gradus {

struct NormAttrs {
  uint32_t axes;  // bit k: axis k is reduced
  double p;
};

/// The vjp of the p-norm of x over some axes, which are kept in g and in y: g sign(x) (|x| / y)^(p - 1), and 0 where y
/// is 0. y is the norm, a constant here.
Variable norm_backward(const NormAttrs& attrs, const Variable& x, const Variable& g, const Variable& y);

}  // namespace gradus

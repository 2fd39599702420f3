// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/op.hpp>
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>

namespace gradus::detail {

/// OpDef::forward of an op that is one elementwise kernel.
template <kernels::UnaryFn kFn>
void forward(ForwardArgs& f) {
  kernels::unary(kFn, f.in(0), f.out(0));
}

template <kernels::BinaryFn kFn>
void forward(ForwardArgs& f) {
  kernels::binary(kFn, f.in(0), f.in(1), f.out(0));
}

}  // namespace gradus::detail

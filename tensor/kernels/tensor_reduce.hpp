// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

namespace gradus::kernels {

/// y = sum of x over every axis on which y has size 1; equal ranks, y dense. The order of addition depends on the shape
/// and the strides of x alone.
void sum(const Tensor& x, Tensor& y);

}  // namespace gradus::kernels

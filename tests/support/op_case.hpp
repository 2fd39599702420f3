// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/battery/op_case.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/op.hpp>

#include "tests/support/random.hpp"

namespace gradus::tests {

using detail::as_variables;
using detail::Derivatives;
using detail::differentiate;
using detail::gradients_with;
using detail::leaves_of;
using detail::OpCase;
using detail::second_derivatives;
using detail::Tensors;
using detail::values_of;
using detail::Variables;

}  // namespace gradus::tests

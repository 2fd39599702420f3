// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/variable.hpp>

namespace gradus {

/// The same values as another Variable: a derivative with respect to the alias stops there, and one with respect to `x`
/// passes through it.
GRADUS_API Variable alias(const Variable& x);

}  // namespace gradus

// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/autograd/parameter.hpp>

namespace gradus {

/// Scales all gradients together so that their joint norm is at most max_norm (> 0; infinity only measures), and
/// returns the norm before (Pascanu et al. 2013). Parameters without gradient do not count. Throws, with nothing
/// changed, when a gradient is not finite, naming the parameter.
GRADUS_API double clip_grad_norm(const std::vector<NamedParameter>& parameters, double max_norm);

}  // namespace gradus

// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/corruptions.hpp>
#include <gradus/autograd/gradcheck.hpp>
#include <gradus/nn/module.hpp>

namespace gradus {

/// Checks the derivatives of f with respect to `inputs` (initial states among them, if they are to be checked) and to
/// every parameter of `module`, which f calls: the report names them by their full paths. f sees `inputs` alone. The
/// module must be f64 (`module.to_(DType::f64)`); its values and its random streams are afterwards what they were, and
/// each call of f starts from the same random numbers, so that dropout can be checked too.
GRADUS_API GradcheckReport gradcheck(Module& module, const std::vector<NamedInput>& inputs, FunctionRef f,
                                     const GradcheckOptions& options = {});

/// The negative controls of that check: every op that f records, each corruption in turn (autograd/corruptions.hpp).
GRADUS_API SelfTestReport self_test(Module& module, const std::vector<NamedInput>& inputs, FunctionRef f,
                                    const GradcheckOptions& options = {});

}  // namespace gradus

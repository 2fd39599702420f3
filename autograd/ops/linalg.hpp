// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/variable.hpp>

namespace gradus {

/// a [.., m, k] times b [.., k, n] -> [.., m, n] by NumPy's rules: leading axes broadcast, a vector on the left is a
/// row, on the right a column, and its axis goes. Throws `[matmul] inner sizes differ: ...`.
GRADUS_API Variable matmul(const Variable& a, const Variable& b);

/// x [.., in], weight [out, in] as in PyTorch, bias [out] or undefined: y [.., out] = x weight^T + bias.
GRADUS_API Variable linear(const Variable& x, const Variable& weight, const Variable& bias = {});

}  // namespace gradus

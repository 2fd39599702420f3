// SPDX-License-Identifier: MIT
// Products: matmul, linear, einsum.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <gradus/autograd/variable.hpp>

namespace gradus {

/// a [.., m, k] times b [.., k, n] -> [.., m, n] by NumPy's rules. Leading axes broadcast. A vector on the left is a
/// row, on the right a column, and this axis is dropped. Throws `[matmul] inner sizes differ: ...`.
GRADUS_API Variable matmul(const Variable& a, const Variable& b);

/// x [.., in], weight [out, in] as in PyTorch, bias [out] or undefined: y [.., out] = x weight^T + bias.
GRADUS_API Variable linear(const Variable& x, const Variable& weight, const Variable& bias = {});

/// a [m], b [n] -> [m, n]: y[i, j] = a[i] b[j].
GRADUS_API Variable outer(const Variable& a, const Variable& b);

/// Einstein summation by NumPy's rules: einsum("bqd,bkd->bqk", {q, k}). A letter names an axis of one size; `...`
/// stands for axes that broadcast; a letter twice in an operand means its diagonal. Letters that are not in the output
/// are summed. Without `->` the output is `...` and, in alphabetical order, all letters that appear once. Operands are
/// contracted from left to right, each pair as one matmul.
GRADUS_API Variable einsum(std::string_view equation, const std::vector<Variable>& operands);

struct CosineOptions {
  int64_t axis = -1;
  /// Norms below this are replaced by it in the division.
  double eps = 1e-8;
};

/// sum(a b) / (max(|a|, eps) max(|b|, eps)) along one axis, which is dropped, as in PyTorch; a and b broadcast. The
/// gradient is finite at a vector of zeros.
GRADUS_API Variable cosine_similarity(const Variable& a, const Variable& b, CosineOptions options = {});

}  // namespace gradus

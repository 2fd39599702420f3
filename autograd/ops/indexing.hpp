// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/variable.hpp>

namespace gradus {

/// Rows of a table: weight [V, D], indices i64 of any shape [..], each in [0, V) -> [.., D]. Throws naming an index
/// that is out of range.
GRADUS_API Variable embedding(const Variable& weight, const Variable& indices);
/// The vjp of embedding: g [.., D] added into the rows of zeros [rows, D].
GRADUS_API Variable embedding_backward(const Variable& g, const Variable& indices, int64_t rows);

}  // namespace gradus

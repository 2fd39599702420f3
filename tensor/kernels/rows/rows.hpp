// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

namespace gradus::kernels {

/// out [.., D]: row i is table [V, D] row indices[i]. Throws `[embedding] index out of range: ...`.
void gather_rows(const Tensor& table, const Tensor& indices, Tensor& out);

/// out [V, D] = 0, then row indices[i] += g[i], in the order of i. Throws as gather_rows does.
void scatter_add_rows(const Tensor& g, const Tensor& indices, Tensor& out);

}  // namespace gradus::kernels

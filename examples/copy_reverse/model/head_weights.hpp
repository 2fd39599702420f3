// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/examples/copy_reverse/model/any_model.hpp>

namespace gradus::examples {

/// The weights over the source of each layer and head of a transformer, [layers, heads, Tt, Ts], for one item by
/// teacher forcing: source i64 [1, Ts], target_in i64 [1, Tt]. Needs pre-norm layers without hooks.
Tensor head_weights(const ModelView& transformer, const Tensor& source, const Tensor& target_in);

}  // namespace gradus::examples

// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include <gradus/autograd/op.hpp>

namespace gradus {

#define GRADUS_OP(name) GRADUS_API extern const OpDef name##_op;
#include <gradus/autograd/ops/ops_list.inc>
#undef GRADUS_OP

/// Every op of the library. The list is explicit, because the linker would drop self-registering objects from a static
/// library.
GRADUS_API std::span<const OpDef* const> all_ops();

}  // namespace gradus

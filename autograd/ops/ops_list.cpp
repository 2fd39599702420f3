// SPDX-License-Identifier: MIT
#include <gradus/autograd/ops/ops_list.hpp>

namespace gradus {

std::span<const OpDef* const> all_ops() {
  static constexpr const OpDef* kOps[] = {
#define GRADUS_OP(name) &name##_op,
#include <gradus/autograd/ops/ops_list.inc>
#undef GRADUS_OP
  };
  return kOps;
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace gradus {

/// The mask of some inputs or outputs, for the OpDef of a fused op whose inputs or outputs are named by an enum.
template <class... Slots>
constexpr uint32_t mask_of(Slots... slots) {
  return ((uint32_t{1} << slots) | ... | 0U);
}
/// The mask of the first `count` inputs or outputs.
constexpr uint32_t mask_of_first(int count) { return (uint32_t{1} << count) - 1; }

}  // namespace gradus

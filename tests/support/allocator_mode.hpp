// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/memory/allocator.hpp>

namespace gradus::tests {

/// Sets the allocator's mode for one scope.
class AllocatorModeScope {
 public:
  [[nodiscard]] explicit AllocatorModeScope(AllocatorMode mode) : before_(allocator_mode()) {
    set_allocator_mode(mode);
  }
  ~AllocatorModeScope() { set_allocator_mode(before_); }
  AllocatorModeScope(const AllocatorModeScope&) = delete;
  AllocatorModeScope& operator=(const AllocatorModeScope&) = delete;

 private:
  AllocatorMode before_;
};

}  // namespace gradus::tests

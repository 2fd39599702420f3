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

// Sanitizers stop the program when the system would refuse memory.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GRADUS_TESTS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GRADUS_TESTS_SANITIZED 1
#endif
#endif

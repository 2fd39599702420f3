// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

// Counts shared by handles on several threads. While the process has one thread, as the C library knows it, plain
// arithmetic does: an atomic addition costs about 5 ns, and a recorded op needs some ten of them. Compiler builtins,
// because <atomic> alone would take a quarter of a user's compile time.

namespace gradus::detail {

inline bool single_threaded() noexcept {
#if __has_include(<sys/single_threaded.h>)
  return __libc_single_threaded != 0;
#else
  return false;
#endif
}

inline void retain_reference(uint32_t& references) noexcept {
  if (single_threaded()) {
    ++references;
  } else {
    __atomic_add_fetch(&references, 1, __ATOMIC_RELAXED);
  }
}

/// Gives one reference back; true when it was the last one. Who holds the only one needs no atomic write to know it.
inline bool release_reference(uint32_t& references) noexcept {
  if (single_threaded()) return --references == 0;
  return __atomic_load_n(&references, __ATOMIC_ACQUIRE) == 1 ||
         __atomic_sub_fetch(&references, 1, __ATOMIC_ACQ_REL) == 0;
}

inline bool is_only_reference(const uint32_t& references) noexcept {
  return __atomic_load_n(&references, __ATOMIC_ACQUIRE) == 1;
}

}  // namespace gradus::detail

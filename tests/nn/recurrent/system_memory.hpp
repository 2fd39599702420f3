// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace gradus::tests {

/// How often this process has asked the C library for memory (malloc, calloc, realloc, aligned_alloc, posix_memalign;
/// operator new calls malloc), on all threads. -1 where that is not counted: with another C library than glibc, and
/// under sanitizers.
int64_t system_memory_requests();

}  // namespace gradus::tests

// SPDX-License-Identifier: MIT
// Counts all requests for memory of the program: these functions take the place of the C library's, and call it.
#include "tests/nn/recurrent/system_memory.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include "tests/support/sanitized.hpp"

#if defined(__GLIBC__) && !defined(GRADUS_TESTS_SANITIZED)

namespace {

int64_t g_memory_requests = 0;

void count_memory_request() { __atomic_fetch_add(&g_memory_requests, 1, __ATOMIC_RELAXED); }

}  // namespace

extern "C" {

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): glibc's names
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

void* malloc(size_t size) noexcept {
  count_memory_request();
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) noexcept {
  count_memory_request();
  return __libc_calloc(count, size);
}

void* realloc(void* block, size_t size) noexcept {
  count_memory_request();
  return __libc_realloc(block, size);
}

void* aligned_alloc(size_t alignment, size_t size) noexcept {
  count_memory_request();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** block, size_t alignment, size_t size) noexcept {
  count_memory_request();
  *block = __libc_memalign(alignment, size);
  return *block != nullptr ? 0 : ENOMEM;
}

}  // extern "C"

namespace gradus::tests {
int64_t system_memory_requests() { return __atomic_load_n(&g_memory_requests, __ATOMIC_RELAXED); }
}  // namespace gradus::tests

#else

namespace gradus::tests {
int64_t system_memory_requests() { return -1; }
}  // namespace gradus::tests

#endif

// SPDX-License-Identifier: MIT
#pragma once

#include <sanitizer/allocator_interface.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

// What all fuzzers share: inputs as files, and the count of what is allocated for each.

namespace gradus::tests {

/// A file in memory, which each input overwrites.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("gradus-fuzz", MFD_CLOEXEC)) {
    path_ = "/proc/self/fd/" + std::to_string(descriptor_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }

  const std::string& path() const { return path_; }
  void write(const void* data, size_t size) const {
    if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, data, size, 0) != static_cast<ssize_t>(size))
      std::abort();
  }

 private:
  int descriptor_;
  std::string path_;
};

/// The bytes that were allocated since the start, freed ones included.
inline uint64_t g_allocated = 0;

inline void count_allocation(const volatile void* /*block*/, size_t size) { g_allocated += size; }
inline void ignore_free(const volatile void* /*block*/) {}

/// What the readers of a format may allocate in all, for a file of `size` bytes: fixed + for_byte * size.
struct AllocationBound {
  uint64_t fixed;
  uint64_t for_byte;
};

/// Gives the input as a file to `check`, which throws when a reader breaks a promise.
template <class Check>
int fuzz_one(const uint8_t* data, size_t size, const AllocationBound& bound, const Check& check) {
  static const MemoryFile file;
  static const int counts = __sanitizer_install_malloc_and_free_hooks(&count_allocation, &ignore_free);
  if (counts == 0) std::abort();
  file.write(data, size);
  const uint64_t before = g_allocated;
  check(file.path(), size);
  const uint64_t allocated = g_allocated - before;
  if (allocated > bound.fixed + bound.for_byte * size) {
    std::fprintf(stderr, "ERROR: %llu bytes were allocated for a file of %zu\n",
                 static_cast<unsigned long long>(allocated), size);
    std::abort();
  }
  return 0;
}

}  // namespace gradus::tests

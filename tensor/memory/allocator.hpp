// SPDX-License-Identifier: MIT
// Memory statistics, and how freed memory is kept for reuse.
#pragma once

#include <cstddef>
#include <cstdint>

#include <gradus/tensor/api.hpp>

namespace gradus {

/// caching: freed blocks are kept by size class in the thread that made them (the default). system: every block comes
/// from and returns to the system (the default under address sanitizer). poison: caching, with each free block filled
/// with NaN patterns and, under address sanitizer, made unreadable.
enum class AllocatorMode : uint8_t { caching, system, poison };

struct MemoryStats {
  int64_t live_bytes = 0;          ///< handed out and not yet returned (within 32 KiB a thread)
  int64_t peak_bytes = 0;          ///< largest live_bytes since the start or reset_peak_memory()
  int64_t cached_bytes = 0;        ///< kept for reuse (blocks above 1 KiB)
  int64_t system_allocations = 0;  ///< how often the system was asked: constant in steady-state training
};

GRADUS_API MemoryStats memory_stats();
GRADUS_API void reset_peak_memory();
/// Returns what the calling thread keeps for reuse to the system.
GRADUS_API void release_cached_memory();
/// Blocks handed out before keep the mode they were made under.
GRADUS_API void set_allocator_mode(AllocatorMode mode);
GRADUS_API AllocatorMode allocator_mode();

namespace detail {

struct ThreadCache;

/// A block of at least `bytes` bytes, 64-byte aligned; `owner` must be handed back with it.
struct Block {
  void* data;
  ThreadCache* owner;
};

GRADUS_API Block allocate_block(size_t bytes);
GRADUS_API void free_block(void* data, size_t bytes, ThreadCache* owner) noexcept;

/// Working memory of a kernel, from the caching allocator, for one scope.
class Scratch {
 public:
  explicit Scratch(size_t bytes) : bytes_(bytes), block_(allocate_block(bytes)) {}
  ~Scratch() { free_block(block_.data, bytes_, block_.owner); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  template <class T>
  T* as() noexcept {
    return static_cast<T*>(block_.data);
  }

 private:
  size_t bytes_;
  Block block_;
};

}  // namespace detail
}  // namespace gradus

// SPDX-License-Identifier: MIT
// Memory statistics, and how freed memory is kept for reuse.
#pragma once

#include <cstddef>
#include <cstdint>

#include <gradus/tensor/api.hpp>

namespace gradus {

/// caching: a thread keeps the blocks that it made, by size class, when they are freed (the default). system: every
/// block comes from the system and goes back to it (the default under address sanitizer). poison: caching, but each
/// free block is filled with NaN patterns and, under address sanitizer, made unreadable.
enum class AllocatorMode : uint8_t { caching, system, poison };

struct MemoryStats {
  int64_t live_bytes = 0;          ///< allocated and not yet freed (within 32 KiB a thread)
  int64_t peak_bytes = 0;          ///< largest live_bytes since the start or reset_peak_memory()
  int64_t cached_bytes = 0;        ///< kept for reuse (blocks above 1 KiB)
  int64_t system_allocations = 0;  ///< requests to the system: constant in steady-state training
};

GRADUS_API MemoryStats memory_stats();
GRADUS_API void reset_peak_memory();
/// Returns the memory that the calling thread keeps for reuse to the system.
GRADUS_API void release_cached_memory();
/// Existing blocks keep the mode in which they were made.
GRADUS_API void set_allocator_mode(AllocatorMode mode);
GRADUS_API AllocatorMode allocator_mode();

namespace detail {

struct ThreadCache;

/// A block of at least `bytes` bytes, 64-byte aligned. `owner` must be passed back with the block.
struct Block {
  void* data;
  ThreadCache* owner;
};

GRADUS_API Block allocate_block(size_t bytes);
GRADUS_API void free_block(void* data, size_t bytes, ThreadCache* owner) noexcept;

/// Working memory of a kernel for one scope, from the caching allocator.
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

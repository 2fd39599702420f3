// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

#include <gradus/tensor/memory/allocator.hpp>

// The allocator's fast path for small blocks of the calling thread. For the few files that make a block for every op.

namespace gradus::detail {

inline constexpr size_t kBlockAlignment = 64;
inline constexpr size_t kSmallLimit = 1024;  // up to this size there is one class for each 64 bytes
inline constexpr int kSmallClasses = kSmallLimit / kBlockAlignment;
inline constexpr int kClasses = kSmallClasses + 4 * (26 - 10) + 4;
inline constexpr int64_t kFlushBytes = 32 << 10;

struct FreeBlock {
  FreeBlock* next;
  int size_class;
};

struct ThreadCache {
  FreeBlock* free[kClasses] = {};
  int64_t unreported_bytes = 0;
  std::atomic<int64_t> cached_bytes{0};  // kept by this thread's frees less its allocations; other threads only read it
  std::atomic<FreeBlock*> remote{nullptr};
};

extern thread_local constinit ThreadCache* t_cache;  // null until the first block of the thread
extern std::atomic<bool> g_plain_blocks;             // caching mode without a sanitizer

void report_live(ThreadCache& cache);

inline void count_live(ThreadCache& cache, int64_t bytes) {
  cache.unreported_bytes += bytes;
  if (cache.unreported_bytes > kFlushBytes || cache.unreported_bytes < -kFlushBytes) [[unlikely]]
    report_live(cache);
}

/// Works as allocate_block().
inline Block allocate_small(size_t bytes) {
  ThreadCache* cache = t_cache;
  if (cache == nullptr || bytes - 1 >= kSmallLimit || !g_plain_blocks.load(std::memory_order_relaxed)) {
    return allocate_block(bytes);
  }
  FreeBlock*& head = cache->free[(bytes - 1) / kBlockAlignment];
  FreeBlock* block = head;
  if (block == nullptr) return allocate_block(bytes);
  head = block->next;
  count_live(*cache, static_cast<int64_t>(bytes));
  return {block, cache};
}

/// Works as free_block().
inline void free_small(void* data, size_t bytes, ThreadCache* owner) noexcept {
  ThreadCache* cache = t_cache;
  if (owner != cache || cache == nullptr || bytes - 1 >= kSmallLimit ||
      !g_plain_blocks.load(std::memory_order_relaxed)) {
    return free_block(data, bytes, owner);
  }
  auto* block = static_cast<FreeBlock*>(data);
  const size_t size_class = (bytes - 1) / kBlockAlignment;
  block->next = cache->free[size_class];
  cache->free[size_class] = block;
  count_live(*cache, -static_cast<int64_t>(bytes));
}

}  // namespace gradus::detail

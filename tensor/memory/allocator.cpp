// SPDX-License-Identifier: MIT
// A caching allocator. Its invariants:
//  1. A block belongs for its whole life to the ThreadCache that made it.
//     A null `owner` means that the block comes straight from the system.
//  2. Only the owning thread touches its free lists. Other threads push blocks to its `remote` stack,
//     and the owner empties that stack when a free list is empty.
//  3. A block above kSharedLimit also serves requests of the classes down to that of half its size. Its class stands
//     before its bytes. So what one phase of a training frees serves the next phase, whose sizes are others. A program
//     that repeats its requests stops asking the system: it asks only while all blocks of the class are in use.
//  4. A ThreadCache is never destroyed. When its thread ends, it waits in a pool for the next thread,
//     so that `owner` is always valid.
#include <gradus/tensor/memory/allocator.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include <gradus/tensor/memory/block_cache.hpp>

#if defined(__SANITIZE_ADDRESS__)
#define GRADUS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GRADUS_ASAN 1
#endif
#endif
#if defined(GRADUS_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace gradus {
namespace {

constexpr size_t kAlignment = detail::kBlockAlignment;
constexpr size_t kSharedLimit = size_t{64} << 10;
constexpr int kTwice = 4;                          // so many classes above a class is the one of twice its size
constexpr size_t kCachedLimit = size_t{64} << 20;  // larger blocks go back to the system at once
constexpr bool kSanitized =
#if defined(GRADUS_ASAN)
    true;
#else
    false;
#endif

constexpr AllocatorMode kDefaultMode = kSanitized ? AllocatorMode::system : AllocatorMode::caching;

std::atomic<AllocatorMode> g_mode{kDefaultMode};
std::atomic<int64_t> g_live{0};
std::atomic<int64_t> g_peak{0};
std::atomic<int64_t> g_system{0};

using detail::FreeBlock;
using detail::kClasses;
using detail::kSmallClasses;
using detail::kSmallLimit;
using detail::report_live;
using detail::t_cache;
using detail::ThreadCache;

struct CachePool {
  std::mutex mutex;
  std::vector<ThreadCache*> idle;
  std::vector<ThreadCache*> all;
};

CachePool& cache_pool() {
  static CachePool* pool = new CachePool;  // outlives every static Tensor
  return *pool;
}

}  // namespace

namespace detail {

thread_local constinit ThreadCache* t_cache = nullptr;
std::atomic<bool> g_plain_blocks{!kSanitized};

void report_live(ThreadCache& cache) {
  const int64_t live = g_live.fetch_add(cache.unreported_bytes, std::memory_order_relaxed) + cache.unreported_bytes;
  cache.unreported_bytes = 0;
  int64_t peak = g_peak.load(std::memory_order_relaxed);
  while (live > peak && !g_peak.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
  }
}

}  // namespace detail

namespace {

struct ThreadExit {
  ~ThreadExit() {
    if (t_cache == nullptr) return;
    report_live(*t_cache);
    CachePool& pool = cache_pool();
    const std::lock_guard<std::mutex> lock(pool.mutex);
    pool.idle.push_back(t_cache);
    t_cache = nullptr;
  }
  bool armed = false;
};

thread_local ThreadExit t_exit;

[[gnu::noinline]] ThreadCache* adopt_cache() {
  CachePool& pool = cache_pool();
  const std::lock_guard<std::mutex> lock(pool.mutex);
  if (!pool.idle.empty()) {
    t_cache = pool.idle.back();
    pool.idle.pop_back();
  } else {
    t_cache = new ThreadCache;
    pool.all.push_back(t_cache);
  }
  t_exit.armed = true;  // the access makes the thread run the destructor at its end
  return t_cache;
}

inline ThreadCache& this_cache() { return t_cache != nullptr ? *t_cache : *adopt_cache(); }

// The classes above kSmallLimit: four for each doubling, so that at most a fifth of a block is unused.
inline int class_of(size_t bytes) {
  if (bytes <= kSmallLimit) return bytes == 0 ? 0 : static_cast<int>((bytes - 1) / kAlignment);
  const int top = static_cast<int>(std::bit_width(bytes - 1)) - 1;  // 2^top <= bytes - 1 < 2^(top + 1)
  return kSmallClasses + (top - 10) * 4 + static_cast<int>((bytes - 1) >> (top - 2) & 3);
}

inline size_t class_bytes(int size_class) {
  if (size_class < kSmallClasses) return (static_cast<size_t>(size_class) + 1) * kAlignment;
  const int top = 10 + (size_class - kSmallClasses) / 4;
  const auto quarter = static_cast<size_t>((size_class - kSmallClasses) % 4);
  return (size_t{1} << top) + ((quarter + 1) << (top - 2));
}

// The class of a block that was handed out for so many bytes.
int& stored_class(void* data) { return *reinterpret_cast<int*>(static_cast<char*>(data) - kAlignment); }
int class_of_block(void* data, size_t bytes) { return bytes > kSharedLimit ? stored_class(data) : class_of(bytes); }

void* system_allocate(size_t bytes) {
  if (bytes > static_cast<size_t>(PTRDIFF_MAX)) throw std::bad_alloc();
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  void* data = std::aligned_alloc(kAlignment, rounded == 0 ? kAlignment : rounded);
  if (data == nullptr) throw std::bad_alloc();
  g_system.fetch_add(1, std::memory_order_relaxed);
  return data;
}

void* make_block(int size_class) {
  const size_t bytes = class_bytes(size_class);
  if (bytes <= kSharedLimit) return system_allocate(bytes);
  void* data = static_cast<char*>(system_allocate(bytes + kAlignment)) + kAlignment;
  stored_class(data) = size_class;
  return data;
}

void destroy_block(void* data, int size_class) {
  std::free(class_bytes(size_class) > kSharedLimit ? static_cast<char*>(data) - kAlignment : data);
}

void hide_bytes(void* data, size_t bytes) {
  std::memset(data, 0xFF, bytes);
#if defined(GRADUS_ASAN)
  // The first bytes of a free block hold the links of the list.
  if (bytes > sizeof(FreeBlock)) {
    ASAN_POISON_MEMORY_REGION(static_cast<char*>(data) + sizeof(FreeBlock), bytes - sizeof(FreeBlock));
  }
#endif
}

void show_bytes([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#if defined(GRADUS_ASAN)
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
#endif
}

void push_free(ThreadCache& cache, FreeBlock* block, int size_class) {
  block->next = cache.free[size_class];
  block->size_class = size_class;
  cache.free[size_class] = block;
}

// An atomic addition would cost as much as the rest of an allocation.
void count_cached(ThreadCache& cache, int64_t bytes) {
  cache.cached_bytes.store(cache.cached_bytes.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
}

void drain_remote(ThreadCache& cache) {
  FreeBlock* block = cache.remote.exchange(nullptr, std::memory_order_acquire);
  while (block != nullptr) {
    FreeBlock* next = block->next;
    push_free(cache, block, block->size_class);
    block = next;
  }
}

// The first class from this one to that of twice its size that has a free block; without one, this class.
int free_class(const ThreadCache& cache, int size_class) {
  const int last = std::min(size_class + kTwice, class_of(kCachedLimit));
  for (int i = size_class; i <= last; ++i) {
    if (cache.free[i] != nullptr) return i;
  }
  return size_class;
}

[[gnu::noinline]] detail::Block allocate_slow(ThreadCache& cache, size_t bytes, AllocatorMode mode) {
  if (mode == AllocatorMode::system || bytes > kCachedLimit) return {system_allocate(bytes), nullptr};
  int size_class = class_of(bytes);
  if (cache.free[size_class] == nullptr) drain_remote(cache);
  if (bytes > kSharedLimit) size_class = free_class(cache, size_class);
  if (FreeBlock* block = cache.free[size_class]; block != nullptr) {
    cache.free[size_class] = block->next;
    if (bytes > kSmallLimit) count_cached(cache, -static_cast<int64_t>(class_bytes(size_class)));
    show_bytes(block, class_bytes(size_class));
    // The block may have been freed in another mode, and its first bytes may hold links of the list.
    if (mode == AllocatorMode::poison) std::memset(static_cast<void*>(block), 0xFF, class_bytes(size_class));
    return {block, &cache};
  }
  void* data = make_block(size_class);
  if (mode == AllocatorMode::poison) std::memset(data, 0xFF, class_bytes(size_class));
  return {data, &cache};
}

}  // namespace

namespace detail {

Block allocate_block(size_t bytes) {
  ThreadCache& cache = this_cache();
  const AllocatorMode mode = g_mode.load(std::memory_order_relaxed);
  if (mode == AllocatorMode::caching && bytes <= kSmallLimit) [[likely]] {
    const int size_class = class_of(bytes);
    if (FreeBlock* block = cache.free[size_class]; block != nullptr) [[likely]] {
      cache.free[size_class] = block->next;
      show_bytes(block, class_bytes(size_class));
      count_live(cache, static_cast<int64_t>(bytes));
      return {block, &cache};
    }
  }
  const Block block = allocate_slow(cache, bytes, mode);
  count_live(cache, static_cast<int64_t>(bytes));
  return block;
}

void free_block(void* data, size_t bytes, ThreadCache* owner) noexcept {
  ThreadCache& cache = this_cache();
  count_live(cache, -static_cast<int64_t>(bytes));
  if (owner == nullptr) {
    std::free(data);
    return;
  }
  const int size_class = class_of_block(data, bytes);
  if (g_mode.load(std::memory_order_relaxed) == AllocatorMode::poison) hide_bytes(data, class_bytes(size_class));
  auto* block = static_cast<FreeBlock*>(data);
  if (bytes > kSmallLimit) count_cached(cache, static_cast<int64_t>(class_bytes(size_class)));
  if (owner == &cache) [[likely]] {
    push_free(cache, block, size_class);
    return;
  }
  block->size_class = size_class;
  block->next = owner->remote.load(std::memory_order_relaxed);
  while (
      !owner->remote.compare_exchange_weak(block->next, block, std::memory_order_release, std::memory_order_relaxed)) {
  }
}

}  // namespace detail

namespace {

int64_t cached_bytes_of_all() {
  CachePool& pool = cache_pool();
  const std::lock_guard<std::mutex> lock(pool.mutex);
  int64_t bytes = 0;
  for (const ThreadCache* cache : pool.all) bytes += cache->cached_bytes.load(std::memory_order_relaxed);
  return bytes;
}

}  // namespace

MemoryStats memory_stats() {
  report_live(this_cache());
  return {.live_bytes = g_live.load(),
          .peak_bytes = g_peak.load(),
          .cached_bytes = cached_bytes_of_all(),
          .system_allocations = g_system.load()};
}

void reset_peak_memory() {
  report_live(this_cache());
  g_peak.store(g_live.load());
}

void release_cached_memory() {
  ThreadCache& cache = this_cache();
  drain_remote(cache);
  for (int size_class = 0; size_class < kClasses; ++size_class) {
    while (FreeBlock* block = cache.free[size_class]) {
      cache.free[size_class] = block->next;
      const size_t bytes = class_bytes(size_class);
      show_bytes(block, bytes);
      if (bytes > kSmallLimit) count_cached(cache, -static_cast<int64_t>(bytes));
      destroy_block(block, size_class);
    }
  }
}

void set_allocator_mode(AllocatorMode mode) {
  g_mode.store(mode);
  detail::g_plain_blocks.store(mode == AllocatorMode::caching && !kSanitized);
}

AllocatorMode allocator_mode() { return g_mode.load(); }

}  // namespace gradus

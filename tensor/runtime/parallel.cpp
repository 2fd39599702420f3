// SPDX-License-Identifier: MIT
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>

#include <gradus/tensor/error.hpp>
#include <gradus/tensor/memory/storage.hpp>
#include <gradus/tensor/runtime/late_team.hpp>
#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/runtime/thread_team.hpp>

namespace gradus {
namespace {

std::atomic<int>& thread_count() {
  static std::atomic<int> count{detail::default_thread_count()};
  return count;
}

// Read at start-up, because later a caller may have set the number for its own regions.
[[maybe_unused]] const int g_count_at_start = thread_count().load();

std::atomic<int64_t> g_regions_split{0};

// In the child of a fork only the thread that forked continues. Waiting for a team of the parent would never end, and
// the library behind it may hold locks of threads that no longer exist, so the child uses one thread. This is not
// needed when the parent never had another thread.
std::atomic<bool> g_one_thread_only{false};
std::atomic<bool> g_parent_had_threads{false};

int watch_forks() {
  return pthread_atfork([] { g_parent_had_threads.store(!detail::single_threaded()); }, nullptr,
                        [] {
                          if (g_parent_had_threads.load()) g_one_thread_only.store(true);
                        });
}

[[maybe_unused]] const int g_watches_forks = watch_forks();

thread_local bool t_inside_region = false;
// Each calling thread has a team of its own.
thread_local detail::LateTeam t_team;
std::atomic<bool> g_notices_late_threads{true};

struct RegionScope {
  RegionScope() { t_inside_region = true; }
  ~RegionScope() { t_inside_region = false; }
  RegionScope(const RegionScope&) = delete;
  RegionScope& operator=(const RegionScope&) = delete;
};

// The state that the threads of one region share. They take blocks in ascending order until none is left.
struct Region {
  int64_t n;
  int64_t grain;
  int64_t blocks;
  RangeBody body;
  std::atomic<int64_t> next{0};
  const bool* caller = &t_inside_region;  // the calling thread's
  int64_t own_blocks = 0;                 // that the calling thread ran
  detail::LateTeam::Clock::time_point own_end{};
  std::mutex mutex{};
  int64_t failed_block = std::numeric_limits<int64_t>::max();
  std::exception_ptr error{};

  void work() noexcept {
    const RegionScope inside;
    const int64_t done = run_blocks();
    if (&t_inside_region != caller) return;
    own_blocks = done;
    own_end = detail::LateTeam::Clock::now();
  }

  // Returns how many it ran.
  int64_t run_blocks() noexcept {
    for (int64_t done = 0;; ++done) {
      const int64_t block = next.fetch_add(1, std::memory_order_relaxed);
      if (block >= blocks) return done;
      try {
        body(block * grain, std::min(n, (block + 1) * grain));
      } catch (...) {
        next.store(blocks, std::memory_order_relaxed);
        const std::lock_guard<std::mutex> lock(mutex);
        if (block < failed_block) {
          failed_block = block;
          error = std::current_exception();
        }
        return done;
      }
    }
  }
};

bool works_alone() {
  return g_notices_late_threads.load(std::memory_order_relaxed) && t_team.works_alone(detail::LateTeam::Clock::now());
}

}  // namespace

void detail::set_notices_late_threads(bool notices) { g_notices_late_threads.store(notices); }

void set_num_threads(int count) {
  GRADUS_CHECK(count >= 1 && count <= 1024, "[set_num_threads] expected a count in [1, 1024], got ", count);
  thread_count().store(count, std::memory_order_relaxed);
}

int64_t detail::regions_split() { return g_regions_split.load(std::memory_order_relaxed); }

int num_threads() {
  return g_one_thread_only.load(std::memory_order_relaxed) ? 1 : thread_count().load(std::memory_order_relaxed);
}

void parallel_for(int64_t n, RangeBody body, int64_t grain) {
  GRADUS_ASSERT(grain > 0);
  if (n <= 0) return;
  const int threads = n <= grain || t_inside_region ? 1 : num_threads();
  if (threads == 1 || detail::in_foreign_region() || works_alone()) {
    for (int64_t begin = 0; begin < n; begin += grain) body(begin, std::min(n, begin + grain));
    return;
  }
  Region region{.n = n, .grain = grain, .blocks = (n + grain - 1) / grain, .body = body};
  g_regions_split.fetch_add(1, std::memory_order_relaxed);
  const auto begin = detail::LateTeam::Clock::now();
  detail::run_on_team(
      threads, [](void* context) { static_cast<Region*>(context)->work(); }, &region);
  if (g_notices_late_threads.load(std::memory_order_relaxed)) {
    const auto end = detail::LateTeam::Clock::now();
    t_team.region_ended(end, end - begin, region.own_end - begin, region.own_blocks, region.blocks);
  }
  if (region.error) std::rethrow_exception(region.error);
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include <gradus/tensor/memory/allocator.hpp>
#include <gradus/tensor/tensor.hpp>

#include "tests/support/allocator_mode.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"
#include "tests/tensor/memory/blocks.hpp"

namespace gradus {
namespace {

using detail::allocate_block;
using detail::Block;
using tests::AllocatorModeScope;
using tests::give_back;
using tests::in_another_thread;
using tests::system_calls;

constexpr size_t kCachedLimit = size_t{64} << 20;

// Sizes on both sides of each boundary between two classes.
std::vector<size_t> interesting_sizes() {
  std::vector<size_t> sizes = {0, 1};
  for (size_t bytes = 64; bytes <= 1024; bytes += 64) sizes.insert(sizes.end(), {bytes - 1, bytes, bytes + 1});
  for (size_t top = 1024; top <= size_t{1} << 20; top *= 2) {
    for (size_t quarter = 1; quarter <= 4; ++quarter) {
      const size_t edge = top + quarter * top / 4;
      sizes.insert(sizes.end(), {edge - 1, edge, edge + 1});
    }
  }
  return sizes;
}

}  // namespace

TEST_CASE("allocator: blocks are aligned, large enough and apart from each other") {
  for (const AllocatorMode mode : {AllocatorMode::caching, AllocatorMode::system, AllocatorMode::poison}) {
    const AllocatorModeScope scope(mode);
    std::vector<std::pair<Block, size_t>> blocks;
    unsigned char mark = 0;
    for (const size_t bytes : interesting_sizes()) {
      blocks.emplace_back(allocate_block(bytes), bytes);
      REQUIRE(reinterpret_cast<uintptr_t>(blocks.back().first.data) % 64 == 0);
      std::memset(blocks.back().first.data, ++mark, bytes);
    }
    mark = 0;
    for (const auto& [block, bytes] : blocks) {
      ++mark;
      const auto* data = static_cast<const unsigned char*>(block.data);
      REQUIRE(static_cast<size_t>(std::count(data, data + bytes, mark)) == bytes);
      give_back(block, bytes);
    }
  }
}

TEST_CASE("allocator: a freed block serves the next request of its class, and no other") {
  const AllocatorModeScope scope(AllocatorMode::caching);
  release_cached_memory();
  const Block first = allocate_block(1025);
  give_back(first, 1025);
  const int64_t calls = system_calls();
  const Block other = allocate_block(1281);
  CHECK(other.data != first.data);
  CHECK(system_calls() == calls + 1);
  const Block again = allocate_block(1280);
  CHECK(again.data == first.data);
  CHECK(system_calls() == calls + 1);
  give_back(other, 1281);
  give_back(again, 1280);

  const Block small = allocate_block(1);
  give_back(small, 1);
  const Block reused = allocate_block(64);
  CHECK(reused.data == small.data);
  give_back(reused, 64);
}

TEST_CASE("allocator: at most a fifth of a cached block above 1 KiB is unused") {
  const AllocatorModeScope scope(AllocatorMode::caching);
  for (const size_t bytes : interesting_sizes()) {
    if (bytes <= 1024) continue;
    release_cached_memory();
    const int64_t before = memory_stats().cached_bytes;
    give_back(allocate_block(bytes), bytes);
    const auto size = static_cast<double>(memory_stats().cached_bytes - before);
    INFO(bytes << " bytes");
    REQUIRE(size >= static_cast<double>(bytes));
    REQUIRE(size - static_cast<double>(bytes) <= size / 5);
  }
}

TEST_CASE("allocator: blocks above 64 MiB go back to the system at once") {
  const AllocatorModeScope scope(AllocatorMode::caching);
  const int64_t cached = memory_stats().cached_bytes;
  const int64_t calls = system_calls();
  for (int i = 0; i < 3; ++i) {
    const Block block = allocate_block(kCachedLimit + 1);
    CHECK(block.owner == nullptr);
    give_back(block, kCachedLimit + 1);
  }
  CHECK(system_calls() == calls + 3);
  CHECK(memory_stats().cached_bytes == cached);
  const Block largest = allocate_block(kCachedLimit);
  CHECK(largest.owner != nullptr);
  give_back(largest, kCachedLimit);
  CHECK(memory_stats().cached_bytes == cached + static_cast<int64_t>(kCachedLimit));
  release_cached_memory();
}

TEST_CASE("allocator: live and peak bytes follow what is handed out") {
  const AllocatorModeScope scope(AllocatorMode::caching);
  constexpr size_t kBytes = 1 << 20;
  constexpr auto kCount = static_cast<int64_t>(kBytes);
  const int64_t live = memory_stats().live_bytes;
  reset_peak_memory();
  CHECK(memory_stats().peak_bytes == live);
  const Block a = allocate_block(kBytes);
  const Block b = allocate_block(kBytes);
  CHECK(memory_stats().live_bytes == live + 2 * kCount);
  give_back(a, kBytes);
  CHECK(memory_stats().live_bytes == live + kCount);
  CHECK(memory_stats().peak_bytes == live + 2 * kCount);
  reset_peak_memory();
  CHECK(memory_stats().peak_bytes == live + kCount);
  give_back(b, kBytes);
  CHECK(memory_stats().live_bytes == live);
  CHECK(memory_stats().peak_bytes == live + kCount);
  const Block small = allocate_block(100);
  CHECK(memory_stats().live_bytes == live + 100);
  give_back(small, 100);
}

TEST_CASE("allocator: release_cached_memory gives everything of this thread back") {
  const AllocatorModeScope scope(AllocatorMode::caching);
  release_cached_memory();
  const int64_t before = memory_stats().cached_bytes;
  give_back(allocate_block(10000), 10000);
  CHECK(memory_stats().cached_bytes > before);
  release_cached_memory();
  CHECK(memory_stats().cached_bytes == before);
  const int64_t calls = system_calls();
  give_back(allocate_block(10000), 10000);
  give_back(allocate_block(100), 100);
  CHECK(system_calls() == calls + 2);
}

TEST_CASE("allocator: a block freed on another thread returns to its owner") {
  const AllocatorModeScope scope(AllocatorMode::caching);
  for (const size_t bytes : {size_t{100}, size_t{5000}}) {
    release_cached_memory();
    const Block block = allocate_block(bytes);
    Block theirs{};
    in_another_thread([&] {
      give_back(block, bytes);
      theirs = allocate_block(bytes);
    });
    CHECK(theirs.data != block.data);
    const int64_t calls = system_calls();
    const Block again = allocate_block(bytes);
    CHECK(again.data == block.data);
    CHECK(system_calls() == calls);
    give_back(again, bytes);
    give_back(theirs, bytes);
  }
}

TEST_CASE("allocator: what an ended thread kept serves the next thread") {
  const AllocatorModeScope scope(AllocatorMode::caching);
  Block kept{};
  Block alive{};
  in_another_thread([&] {
    release_cached_memory();
    kept = allocate_block(3000);
    alive = allocate_block(7000);
    give_back(kept, 3000);
  });
  give_back(alive, 7000);  // its owner has ended
  const int64_t calls = system_calls();
  in_another_thread([&] {
    const Block first = allocate_block(3000);
    const Block second = allocate_block(7000);
    CHECK(first.data == kept.data);
    CHECK(second.data == alive.data);
    give_back(first, 3000);
    give_back(second, 7000);
  });
  CHECK(system_calls() == calls);
}

TEST_CASE("allocator: live bytes of an ended thread are counted") {
  const AllocatorModeScope scope(AllocatorMode::caching);
  const int64_t live = memory_stats().live_bytes;
  Block block{};
  in_another_thread([&] { block = allocate_block(500); });
  CHECK(memory_stats().live_bytes == live + 500);
  give_back(block, 500);
  CHECK(memory_stats().live_bytes == live);
}

TEST_CASE("allocator: the system mode asks the system each time") {
  const AllocatorModeScope scope(AllocatorMode::system);
  const int64_t calls = system_calls();
  for (int i = 0; i < 4; ++i) {
    const Block block = allocate_block(200);
    CHECK(block.owner == nullptr);
    give_back(block, 200);
  }
  CHECK(system_calls() == calls + 4);
}

TEST_CASE("allocator: blocks may be freed under another mode than they were made under") {
  constexpr AllocatorMode kModes[] = {AllocatorMode::caching, AllocatorMode::system, AllocatorMode::poison};
  const int64_t live = memory_stats().live_bytes;
  for (const AllocatorMode made : kModes) {
    for (const AllocatorMode freed : kModes) {
      for (const size_t bytes : {size_t{64}, size_t{4000}}) {
        const AllocatorModeScope outer(made);
        const Block block = allocate_block(bytes);
        std::memset(block.data, 1, bytes);
        const AllocatorModeScope inner(freed);
        give_back(block, bytes);
        for (const AllocatorMode next : kModes) {
          const AllocatorModeScope innermost(next);
          const Block again = allocate_block(bytes);
          std::memset(again.data, 2, bytes);
          give_back(again, bytes);
        }
      }
    }
  }
  CHECK(memory_stats().live_bytes == live);
}

TEST_CASE("allocator: under poison a new block holds NaN in every place, fresh or used before") {
  for (const size_t bytes : {size_t{256}, size_t{4096}}) {
    release_cached_memory();
    {
      const AllocatorModeScope scope(AllocatorMode::caching);
      const Block before = allocate_block(bytes);
      std::memset(before.data, 0, bytes);
      give_back(before, bytes);
    }
    const AllocatorModeScope scope(AllocatorMode::poison);
    for (int round = 0; round < 3; ++round) {
      detail::Scratch scratch(bytes);
      auto* values = scratch.as<float>();
      for (size_t i = 0; i < bytes / 4; ++i) REQUIRE(values[i] != values[i]);
      std::fill_n(values, bytes / 4, 1.0f);
    }
  }
  const AllocatorModeScope scope(AllocatorMode::poison);
  const Tensor fresh = Tensor::empty({100}, DType::f64);
  for (int i = 0; i < 100; ++i) REQUIRE(fresh.data<double>()[i] != fresh.data<double>()[i]);
}

TEST_CASE("allocator: a loop that repeats its sizes stops asking the system after the first round") {
  const AllocatorModeScope scope(AllocatorMode::caching);
  const auto round = [] {
    std::vector<Tensor> alive;
    for (const int64_t count : {1, 30, 400, 5000, 60000, 700000}) {
      const Tensor x = full({count}, 1.5);
      alive.push_back(x.to(DType::f64));
      alive.push_back(x.slice(0, 0, count, 2).clone());
    }
  };
  round();
  const int64_t calls = system_calls();
  for (int i = 0; i < 50; ++i) round();
  CHECK(system_calls() == calls);
}

TEST_CASE("allocator: a producer and a consumer on two threads reach a steady state too") {
  const AllocatorModeScope scope(AllocatorMode::caching);
  constexpr int kRounds = 200;
  constexpr int kWarmUp = 5;
  std::vector<int64_t> calls;
  std::vector<Block> hand_over(8);
  std::atomic<int> turn{0};
  std::thread consumer([&] {
    for (int i = 0; i < kRounds; ++i) {
      while (turn.load() != 2 * i + 1) std::this_thread::yield();
      for (const Block& block : hand_over) give_back(block, 3000);
      turn.store(2 * i + 2);
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    for (Block& block : hand_over) block = allocate_block(3000);
    calls.push_back(system_calls());
    turn.store(2 * i + 1);
    while (turn.load() != 2 * i + 2) std::this_thread::yield();
  }
  consumer.join();
  CHECK(calls[kWarmUp] == calls.back());
}

TEST_CASE("allocator: threads that pass blocks around never share one") {
  const AllocatorModeScope scope(AllocatorMode::caching);
  const uint64_t seed = tests::seed(21);
  INFO("seed " << seed);
  struct Slot {
    std::atomic<unsigned char*> data{nullptr};
  };
  constexpr size_t kBytes = 192;
  std::vector<Slot> slots(16);
  std::atomic<int> errors{0};
  // A block begins with its owner. The rest is a mark that must not change until the block is freed.
  const auto work = [&](uint64_t thread_seed) {
    tests::RandomNumbers random(thread_seed);
    for (int i = 0; i < 30000; ++i) {
      const Block block = allocate_block(kBytes);
      auto* data = static_cast<unsigned char*>(block.data);
      const auto mark = static_cast<unsigned char>(i);
      std::memset(data, mark, kBytes);
      std::memcpy(data, &block.owner, sizeof block.owner);
      auto& slot = slots[static_cast<size_t>(random.integer(0, 15))];
      unsigned char* old = slot.data.exchange(data);
      if (old == nullptr) continue;
      const auto same = std::count(old + sizeof(void*), old + kBytes, old[kBytes - 1]);
      if (static_cast<size_t>(same) != kBytes - sizeof(void*)) ++errors;
      Block taken{old, nullptr};
      std::memcpy(&taken.owner, old, sizeof taken.owner);
      give_back(taken, kBytes);
    }
  };
  std::thread a(work, seed), b(work, seed + 1), c(work, seed + 2);
  a.join();
  b.join();
  c.join();
  for (Slot& slot : slots) {
    if (unsigned char* data = slot.data.load(); data != nullptr) {
      Block block{data, nullptr};
      std::memcpy(&block.owner, data, sizeof block.owner);
      give_back(block, kBytes);
    }
  }
  CHECK(errors == 0);
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <atomic>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gradus/tensor/error.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"

namespace gradus {
namespace {

using detail::ThreadCountScope;

std::set<std::pair<int64_t, int64_t>> blocks_of(int64_t n, int64_t grain) {
  std::vector<std::pair<int64_t, int64_t>> seen(static_cast<size_t>(n));
  std::atomic<size_t> count{0};
  parallel_for(
      n,
      [&](int64_t begin, int64_t end) {
        seen[count.fetch_add(1)] = {begin, end};
      },
      grain);
  seen.resize(count.load());
  const std::set<std::pair<int64_t, int64_t>> blocks(seen.begin(), seen.end());
  REQUIRE(blocks.size() == seen.size());
  return blocks;
}

}  // namespace

TEST_CASE("parallel_for: the blocks depend on n and the grain, not on the number of threads") {
  const std::set<std::pair<int64_t, int64_t>> expected = {{0, 4}, {4, 8}, {8, 10}};
  for (const int threads : {1, 2, 3, 7}) {
    const ThreadCountScope scope(threads);
    CHECK(num_threads() == threads);
    CHECK(blocks_of(10, 4) == expected);
    CHECK(blocks_of(8, 4).size() == 2);
    CHECK(blocks_of(3, 4) == std::set<std::pair<int64_t, int64_t>>{{0, 3}});
    CHECK(blocks_of(1000, 1).size() == 1000);
    CHECK(blocks_of(0, 4).empty());
  }
}

TEST_CASE("parallel_for: each index is visited exactly once") {
  const ThreadCountScope scope(3);
  std::vector<int> visits(10007, 0);
  for (int round = 0; round < 20; ++round) {
    parallel_for(
        10007,
        [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
        },
        64);
  }
  for (const int count : visits) REQUIRE(count == 20);
}

TEST_CASE("parallel_for: a nested call runs on the thread that makes it") {
  const ThreadCountScope scope(2);
  std::atomic<int> elsewhere{0};
  parallel_for(
      8,
      [&](int64_t, int64_t) {
        const auto self = std::this_thread::get_id();
        parallel_for(
            8, [&](int64_t, int64_t) { elsewhere += self != std::this_thread::get_id(); }, 1);
      },
      1);
  CHECK(elsewhere == 0);
}

TEST_CASE("parallel_for: the first failed block's exception reaches the caller, and the next call works") {
  for (const int threads : {1, 2, 4}) {
    const ThreadCountScope scope(threads);
    for (int round = 0; round < 50; ++round) {
      std::string text;
      try {
        parallel_for(
            100,
            [](int64_t begin, int64_t) {
              if (begin >= 30) throw std::runtime_error("block " + std::to_string(begin));
            },
            10);
      } catch (const std::runtime_error& error) {
        text = error.what();
      }
      REQUIRE(text == "block 30");
    }
    REQUIRE(blocks_of(10, 4).size() == 3);
  }
}

TEST_CASE("parallel_for: several threads of the caller may use it at once") {
  const ThreadCountScope scope(2);
  std::atomic<int64_t> sum{0};
  const auto add_all = [&] {
    for (int round = 0; round < 100; ++round) {
      parallel_for(
          100,
          [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) sum += i;
          },
          7);
    }
  };
  std::thread other(add_all);
  add_all();
  other.join();
  CHECK(sum == 2 * 100 * 4950);
}

TEST_CASE("set_num_threads: refuses counts below 1 and absurd ones") {
  const int before = num_threads();
  CHECK(before >= 1);
  CHECK_THROWS_AS(set_num_threads(0), Error);
  CHECK_THROWS_AS(set_num_threads(-1), Error);
  CHECK_THROWS_AS(set_num_threads(1025), Error);
  CHECK(num_threads() == before);
}

}  // namespace gradus

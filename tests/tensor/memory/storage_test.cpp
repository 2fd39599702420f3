// SPDX-License-Identifier: MIT
#include <cstdint>
#include <cstring>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include <gradus/tensor/memory/storage.hpp>

#include "tests/support/allocator_mode.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/sanitized.hpp"

namespace gradus {

TEST_CASE("Storage: bytes are aligned to 64 and all of them are ours, whatever their number") {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{4096}, size_t{1} << 20}) {
    Storage storage = Storage::allocate(bytes);
    REQUIRE(storage);
    CHECK(storage.bytes() == bytes);
    CHECK(reinterpret_cast<uintptr_t>(storage.data()) % 64 == 0);
    std::memset(storage.data(), 0x5A, bytes);
  }
}

TEST_CASE("Storage: copies share the bytes and the version") {
  Storage a = Storage::allocate(16);
  CHECK(a.is_unique());
  CHECK(a.version() == 0);
  Storage b = a;
  CHECK_FALSE(a.is_unique());
  CHECK(a.is_same(b));
  CHECK(a.data() == b.data());
  b.bump_version_();
  b.bump_version_();
  CHECK(a.version() == 2);
  CHECK_FALSE(a.is_same(Storage::allocate(16)));
  b.reset();
  CHECK_FALSE(b);
  CHECK(a.is_unique());
}

TEST_CASE("Storage: moves, assignments and self-assignment keep the count") {
  Storage a = Storage::allocate(8);
  void* data = a.data();
  Storage b = std::move(a);
  CHECK_FALSE(a);  // NOLINT(bugprone-use-after-move): a moved-from handle is empty
  CHECK(b.data() == data);
  CHECK(b.is_unique());
  Storage& alias = b;
  b = alias;
  CHECK(b.is_unique());
  CHECK(b.data() == data);
  b = std::move(alias);
  CHECK(b.is_unique());
  Storage c;
  c = b;
  CHECK_FALSE(b.is_unique());
  c = Storage();
  CHECK(b.is_unique());
}

TEST_CASE("Storage: borrowed bytes are released once, when the last handle goes") {
  std::vector<double> values = {1.0, 2.0};
  int released = 0;
  Storage a = Storage::borrow(
      values.data(), 16, [](void* context) { ++*static_cast<int*>(context); }, &released);
  CHECK(a.data() == values.data());
  CHECK(a.bytes() == 16);
  {
    const Storage b = a;
    a.reset();
    CHECK(released == 0);
    CHECK(b.data() == values.data());
  }
  CHECK(released == 1);
  Storage::borrow(values.data(), 16, nullptr, nullptr).reset();
  CHECK(values == std::vector<double>{1.0, 2.0});
}

TEST_CASE("Storage: handles may be copied and dropped on several threads at once") {
  const Storage shared = Storage::allocate(64);
  const auto work = [&shared] {
    for (int i = 0; i < 20000; ++i) {
      const Storage mine = shared;
      static_cast<void>(mine.data());
    }
  };
  std::thread other(work);
  work();
  other.join();
  CHECK(shared.is_unique());
}

#ifndef GRADUS_TESTS_SANITIZED
TEST_CASE("Storage: sizes that no machine has throw bad_alloc, and the counts of memory stay right") {
  const int64_t before = memory_stats().live_bytes;
  CHECK_THROWS_AS(Storage::allocate(size_t{1} << 62), std::bad_alloc);
  CHECK_THROWS_AS(Storage::allocate(SIZE_MAX), std::bad_alloc);
  CHECK_THROWS_AS(Storage::allocate(SIZE_MAX - 100), std::bad_alloc);
  CHECK(memory_stats().live_bytes == before);
}
#endif

}  // namespace gradus

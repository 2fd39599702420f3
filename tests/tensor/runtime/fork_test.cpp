// SPDX-License-Identifier: MIT
// The child of a fork has none of its parent's threads, and its kernels must not wait for them.
#include <sys/wait.h>
#include <unistd.h>

#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>
#include <gradus/tensor/random/random.hpp>
#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/tensor.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

namespace gradus {
namespace {

constexpr unsigned kPatienceSeconds = 60;
constexpr int kAsExpected = 42;

Tensor split_work(const Tensor& x) {
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  kernels::binary(kernels::BinaryFn::mul, x, x, y);
  return y;
}

// Whether the work returns true in a child of this process. The child is killed when it takes too long.
template <class Work>
bool succeeds_in_child(const Work& work) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(kPatienceSeconds);
    _exit(work() ? kAsExpected : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  INFO("wait status " << status);
  return WIFEXITED(status) && WEXITSTATUS(status) == kAsExpected;
}

}  // namespace

TEST_CASE("fork: a kernel that the parent has split runs in the child, and gives the same bits") {
  const detail::ThreadCountScope threads(3);
  const uint64_t seed = tests::seed(5);
  INFO("seed " << seed);
  Generator generator(seed);
  const Tensor x = normal({1 << 21}, generator);
  const int64_t regions = detail::regions_split();
  const Tensor expected = split_work(x);
  REQUIRE(detail::regions_split() > regions);
  const auto same_bits = [&] { return bitwise_equal(split_work(x), expected); };
  CHECK(succeeds_in_child(same_bits));
  CHECK(succeeds_in_child([&] { return num_threads() == 1; }));
  // whatever number is set in the child
  CHECK(succeeds_in_child([&] {
    set_num_threads(4);
    return same_bits() && num_threads() == 1;
  }));
  // the same in a child of the child
  CHECK(succeeds_in_child([&] { return same_bits() && succeeds_in_child(same_bits); }));
  // The parent keeps its threads.
  CHECK(num_threads() == 3);
  const int64_t before = detail::regions_split();
  CHECK(same_bits());
  CHECK(detail::regions_split() > before);
}

}  // namespace gradus

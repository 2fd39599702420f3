// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include <gradus/tensor/detail/strided_loop.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/index_map.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus {
namespace {

using tests::places;
using tests::RandomNumbers;

// The position in each operand at one element. Unused operands stay 0.
using Visit = std::array<int64_t, StridedLoop::kMaxOperands>;

StridedLoop make_loop(const std::vector<Layout>& layouts) {
  switch (layouts.size()) {
    case 1:
      return StridedLoop({&layouts[0]});
    case 2:
      return StridedLoop({&layouts[0], &layouts[1]});
    case 3:
      return StridedLoop({&layouts[0], &layouts[1], &layouts[2]});
    default:
      return StridedLoop({&layouts[0], &layouts[1], &layouts[2], &layouts[3]});
  }
}

void append_visits(const StridedLoop& loop, size_t operands, int64_t begin, int64_t end, std::vector<Visit>& out) {
  loop.run(begin, end, [&](const int64_t* offsets) {
    for (int64_t i = 0; i < loop.run_length(); ++i) {
      Visit visit{};
      for (size_t k = 0; k < operands; ++k) visit[k] = offsets[k] + i * loop.run_stride(static_cast<int>(k));
      out.push_back(visit);
    }
  });
}

std::vector<Visit> naive_visits(const std::vector<Layout>& layouts) {
  std::vector<Visit> out(static_cast<size_t>(layouts[0].shape().numel()));
  for (size_t k = 0; k < layouts.size(); ++k) {
    const std::vector<int64_t> at = places(layouts[k]);
    for (size_t i = 0; i < out.size(); ++i) out[i][k] = at[i];
  }
  return out;
}

}  // namespace

TEST_CASE("StridedLoop: visits the same places together as plain loops do, each once") {
  const uint64_t seed = tests::seed(31);
  INFO("seed " << seed);
  RandomNumbers random(seed);
  for (int round = 0; round < 600; ++round) {
    const auto rank = static_cast<int>(random.integer(0, round % 10 == 0 ? 8 : 5));
    const Shape shape = tests::random_shape(random, rank, rank > 5 ? 2 : 4);
    const auto operands = static_cast<size_t>(random.integer(1, 4));
    std::vector<Layout> layouts;
    for (size_t k = 0; k < operands; ++k)
      layouts.push_back(tests::random_layout(random, shape, k > 0 || round % 5 == 0));
    INFO("round " << round << ", shape " << to_string(shape) << ", operands " << operands);

    const StridedLoop loop = make_loop(layouts);
    REQUIRE(loop.run_length() * loop.run_count() == shape.numel());
    std::vector<Visit> seen;
    append_visits(loop, operands, 0, loop.run_count(), seen);

    // The same runs in the same order, but interrupted and continued at random places.
    std::vector<Visit> pieces;
    for (int64_t begin = 0; begin < loop.run_count();) {
      const int64_t end = std::min(loop.run_count(), begin + random.integer(1, 5));
      append_visits(loop, operands, begin, end, pieces);
      begin = end;
    }
    REQUIRE(pieces == seen);

    std::vector<Visit> expected = naive_visits(layouts);
    std::sort(expected.begin(), expected.end());
    std::sort(seen.begin(), seen.end());
    REQUIRE(seen == expected);
  }
}

TEST_CASE("StridedLoop: dense operands are one run, in the order of the first operand's memory") {
  const Layout dense(Shape{2, 3, 4, 5});
  const StridedLoop plain({&dense, &dense});
  CHECK(plain.run_count() == 1);
  CHECK(plain.run_length() == 120);
  CHECK(plain.run_stride(0) == 1);

  const Layout turned = dense.transpose(0, 3).transpose(1, 2);
  const StridedLoop same_turn({&turned, &turned, &turned});
  CHECK(same_turn.run_count() == 1);
  CHECK(same_turn.run_stride(2) == 1);
}

TEST_CASE("StridedLoop: neighbours are fused where every operand lies evenly, and only there") {
  const Layout dense(Shape{2, 3, 4});
  const Layout row = Layout(Shape{4}).expand({2, 3, 4});
  const StridedLoop bias({&dense, &dense, &row});
  CHECK(bias.run_length() == 4);
  CHECK(bias.run_count() == 6);

  const Layout scalar = Layout(Shape{}).expand({2, 3, 4});
  const StridedLoop broadcast({&dense, &scalar});
  CHECK(broadcast.run_count() == 1);
  CHECK(broadcast.run_stride(1) == 0);

  const Layout gaps = Layout(Shape{2, 3, 8}).slice(2, 0, 8, 2);
  const StridedLoop stepped({&gaps});
  CHECK(stepped.run_count() == 1);
  CHECK(stepped.run_stride(0) == 2);
}

TEST_CASE("StridedLoop: rank 0 and axes of size 1 are one run of one element, empty shapes none") {
  const Layout single = Layout(Shape{}).unsqueeze(0).unsqueeze(0);
  const Layout offset = Layout(Shape{5}).slice(0, 3, 4, 1).unsqueeze(0);
  const StridedLoop loop({&single, &offset});
  CHECK(loop.run_count() == 1);
  CHECK(loop.run_length() == 1);
  int calls = 0;
  loop.run([&](const int64_t* offsets) {
    ++calls;
    CHECK(offsets[0] == 0);
    CHECK(offsets[1] == 3);
  });
  CHECK(calls == 1);

  const Layout empty(Shape{3, 0, 2});
  const StridedLoop none({&empty});
  CHECK(none.run_count() == 0);
  CHECK(none.run_length() == 0);
  none.run([&](const int64_t*) { ++calls; });
  CHECK(calls == 1);
}

}  // namespace gradus

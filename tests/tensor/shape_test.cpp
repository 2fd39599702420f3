// SPDX-License-Identifier: MIT
#include <cstdint>
#include <vector>

#include <gradus/tensor/error.hpp>
#include <gradus/tensor/shape.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/index_map.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus {

using tests::error_text;

TEST_CASE("Shape: sizes, rank and number of elements") {
  const Shape shape = {2, 3, 4};
  CHECK(shape.rank() == 3);
  CHECK(shape[0] == 2);
  CHECK(shape[2] == 4);
  CHECK(shape.numel() == 24);
  CHECK(std::vector<int64_t>(shape.begin(), shape.end()) == std::vector<int64_t>{2, 3, 4});
  CHECK(to_string(shape) == "[2, 3, 4]");
}

TEST_CASE("Shape: rank 0 is one element, an axis of size 0 makes none") {
  CHECK(Shape().rank() == 0);
  CHECK(Shape().numel() == 1);
  CHECK(Shape() == Shape{});
  CHECK(to_string(Shape()) == "[]");
  CHECK(Shape{3, 0, 2}.numel() == 0);
  CHECK(Shape{0}.numel() == 0);
}

TEST_CASE("Shape: equality looks at the sizes in use and at nothing else") {
  Shape longer = {2, 3, 9};
  CHECK(longer.without(2) == Shape{2, 3});
  CHECK_FALSE(Shape{2, 3} == Shape{3, 2});
  CHECK_FALSE(Shape{2, 3} == Shape{2, 3, 1});
  CHECK_FALSE(Shape{} == Shape{1});
  longer = Shape{5};
  CHECK(longer == Shape{5});
}

TEST_CASE("Shape: eight axes are allowed, nine are refused") {
  CHECK(Shape{1, 2, 1, 2, 1, 2, 1, 2}.numel() == 16);
  CHECK(error_text([] { return Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}; }) ==
        "[shape] rank too large: expected at most 8 axes, got 9");
  CHECK(error_text([] { return Shape{1, 1, 1, 1, 1, 1, 1, 1}.inserted(0, 1); }) ==
        "[shape] rank too large: expected at most 8 axes, got 9");
}

TEST_CASE("Shape: negative sizes are refused, by with() and inserted() as well") {
  CHECK(error_text([] { return Shape{2, -1}; }) == "[shape] negative size: expected sizes >= 0, got -1 on axis 1");
  CHECK(error_text([] {
          return Shape{2, 3}.with(0, -5);
        }) == "[shape] negative size: expected sizes >= 0, got -5 on axis 0");
  CHECK(error_text([] {
          return Shape{2, 3}.inserted(2, -2);
        }) == "[shape] negative size: expected sizes >= 0, got -2 on axis 2");
}

TEST_CASE("Shape: sizes whose bytes overflow 64 bits are refused, beside an empty axis as well") {
  constexpr int64_t kMost = INT64_MAX / 8;
  CHECK(Shape{kMost}.numel() == kMost);
  CHECK(error_text([] { return Shape{kMost + 1}; }) ==
        "[shape] too many elements for 64-bit addressing: [1152921504606846976]");
  CHECK(error_text([] {
          return Shape{int64_t{1} << 32, int64_t{1} << 32};
        }) == "[shape] too many elements for 64-bit addressing: [4294967296, 4294967296]");
  CHECK(error_text([] {
          return Shape{0, INT64_MAX, 3};
        }) == "[shape] too many elements for 64-bit addressing: [0, 9223372036854775807, 3]");
  // 2^64 = 0 modulo 2^64: a product without a check would pass.
  CHECK_THROWS_AS((Shape{int64_t{1} << 31, int64_t{1} << 31, 4}), Error);
  CHECK_THROWS_AS((Shape{int64_t{1} << 30, 2}.with(1, int64_t{1} << 40)), Error);
  CHECK(Shape{0, int64_t{1} << 40}.numel() == 0);
}

TEST_CASE("Shape: with, without and inserted change one axis") {
  const Shape shape = {2, 3, 4};
  CHECK(shape.with(1, 7) == Shape{2, 7, 4});
  CHECK(shape.without(0) == Shape{3, 4});
  CHECK(shape.without(2) == Shape{2, 3});
  CHECK(shape.inserted(0, 5) == Shape{5, 2, 3, 4});
  CHECK(shape.inserted(3, 5) == Shape{2, 3, 4, 5});
  CHECK(Shape{}.inserted(0, 6) == Shape{6});
  CHECK(shape == Shape{2, 3, 4});
}

TEST_CASE("broadcast_shapes: NumPy's rules") {
  CHECK(broadcast_shapes({2, 3}, {2, 3}, "add") == Shape{2, 3});
  CHECK(broadcast_shapes({2, 3}, {3}, "add") == Shape{2, 3});
  CHECK(broadcast_shapes({4, 1, 3}, {2, 1}, "add") == Shape{4, 2, 3});
  CHECK(broadcast_shapes({}, {2, 3}, "add") == Shape{2, 3});
  CHECK(broadcast_shapes({1, 3}, {0, 3}, "add") == Shape{0, 3});
  CHECK(broadcast_shapes({0}, {1, 1}, "add") == Shape{1, 0});
  CHECK(error_text([] {
          return broadcast_shapes({2, 3}, {4}, "add");
        }) == "[add] shapes do not broadcast: a is [2, 3], b is [4]");
  CHECK(error_text([] { return broadcast_shapes({0}, {2}, "mul"); }) ==
        "[mul] shapes do not broadcast: a is [0], b is [2]");
}

TEST_CASE("broadcast_shapes: symmetric, and both operands can be expanded to the result") {
  const uint64_t seed = tests::seed(3);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (int round = 0; round < 300; ++round) {
    const Shape common = tests::random_shape(random, static_cast<int>(random.integer(0, 5)));
    const auto reduced = [&] {
      Shape out = common;
      for (int axis = 0; axis < out.rank(); ++axis) {
        if (random.integer(0, 2) == 0) out = out.with(axis, 1);
      }
      while (out.rank() > 0 && random.integer(0, 3) == 0) out = out.without(0);
      return out;
    };
    const Shape a = reduced();
    const Shape b = reduced();
    const Shape both = broadcast_shapes(a, b, "test");
    REQUIRE(both == broadcast_shapes(b, a, "test"));
    for (int axis = 0; axis < both.rank(); ++axis) {
      const auto size_of = [&](const Shape& shape) {
        const int at = axis - (both.rank() - shape.rank());
        return at < 0 ? 1 : shape[at];
      };
      REQUIRE(both[axis] == (size_of(a) == 1 ? size_of(b) : size_of(a)));
    }
  }
}

TEST_CASE("normalize_axis: counts from either end") {
  CHECK(normalize_axis(0, 3, "sum") == 0);
  CHECK(normalize_axis(2, 3, "sum") == 2);
  CHECK(normalize_axis(-1, 3, "sum") == 2);
  CHECK(normalize_axis(-3, 3, "sum") == 0);
  CHECK(error_text([] { return normalize_axis(3, 3, "sum"); }) ==
        "[sum] axis out of range: expected an axis in [-3, 2], got 3");
  CHECK(error_text([] { return normalize_axis(-4, 3, "sum"); }) ==
        "[sum] axis out of range: expected an axis in [-3, 2], got -4");
  CHECK(error_text([] { return normalize_axis(0, 0, "sum"); }) ==
        "[sum] axis out of range: expected no axis, since the rank is 0, got 0");
  CHECK_THROWS_AS(normalize_axis(INT64_MIN, 2, "sum"), Error);
}

}  // namespace gradus

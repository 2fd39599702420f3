// SPDX-License-Identifier: MIT
// What calls share: lists of axes, a size of -1, bounds that count from the end, options that must be given.
#include <array>
#include <vector>

#include <gradus/tensor/random/random.hpp>
#include <gradus/tensor/tensor.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

using namespace gradus;
using tests::error_text;

namespace {

std::vector<int> resolved(const Axes& axes, int rank) {
  int out[kMaxRank];
  axes.resolve(rank, "call", out);
  return {out, out + axes.count()};
}

const Tensor& cube() {
  static const Tensor x = arange(24).reshape({2, 3, 4});
  return x;
}

template <class T>
concept TakesBool = requires {
  Axes(T{});
};

template <class T>
concept NothingGiven = requires {
  T{};
};

}  // namespace

TEST_CASE("axes come from an int, a braced list, a vector, an array or a span") {
  const std::vector<int> want = {0, 2};
  const std::vector<int64_t> wide = {0, -1};
  const std::array<int, 2> array = {0, 2};
  const int64_t last = -1;
  CHECK(resolved({0, -1}, 3) == want);
  CHECK(resolved({0, last}, 3) == want);
  CHECK(resolved(want, 3) == want);
  CHECK(resolved(wide, 3) == want);
  CHECK(resolved(array, 3) == want);
  CHECK(resolved(std::span<const int64_t>(wide), 3) == want);
  CHECK(resolved(0, 3) == std::vector<int>{0});
  CHECK(resolved(-3, 3) == std::vector<int>{0});
  CHECK(resolved({}, 3).empty());
  CHECK(Axes().empty());
  CHECK(Axes({0, 2}).mask(3, "call") == 0b101);
  CHECK(Axes(std::vector<int>{}).mask(3, "call") == 0);
  static_assert(TakesBool<int> && !TakesBool<bool>);
}

TEST_CASE("axes out of range, named twice or too many are errors that name the call") {
  CHECK(error_text([] {
          return resolved({0, 3}, 3);
        }) == "[call] axis out of range: expected an axis in [-3, 2], got 3");
  CHECK(error_text([] { return resolved(-4, 3); }) == "[call] axis out of range: expected an axis in [-3, 2], got -4");
  CHECK(error_text([] { return resolved({1, -2}, 3); }) == "[call] axis -2 is named twice");
  CHECK(error_text([] {
          return resolved({0, 1, 2, 3, 4, 5, 6, 7, 0}, 8);
        }) == "[call] too many axes: expected at most 8, got 9");
}

TEST_CASE("permute and squeeze of a tensor take any list of axes") {
  const std::vector<int> order = {2, 0, 1};
  CHECK(cube().permute(order).shape() == Shape{4, 2, 3});
  CHECK(bitwise_equal(cube().permute(order), cube().permute({-1, 0, 1})));
  const Tensor thin = cube().reshape({1, 24, 1});
  CHECK(thin.squeeze(0).shape() == Shape{24, 1});
  CHECK(thin.squeeze({0, -1}).shape() == Shape{24});
  CHECK(thin.squeeze().shape() == Shape{24});
  CHECK(cube().squeeze().shape() == Shape{2, 3, 4});
  CHECK(error_text([&] { return thin.squeeze(1); }) == "[squeeze] expected size 1 on axis 1 of [1, 24, 1]");
  CHECK(error_text([] { return cube().permute({0, 1}); }) == "[permute] wrong number of axes: expected 3, got 2");
  CHECK(error_text([] { return cube().permute({0, 1, 1}); }) == "[permute] axis 1 is named twice");
}

TEST_CASE("a size of -1 is what the other sizes leave") {
  CHECK(cube().reshape({-1}).shape() == Shape{24});
  CHECK(cube().reshape({6, -1}).shape() == Shape{6, 4});
  const std::vector<int64_t> sizes = {2, -1, 2};
  CHECK(cube().reshape(sizes).shape() == Shape{2, 6, 2});
  CHECK(scalar(1.0).reshape({-1}).shape() == Shape{1});
  CHECK(scalar(1.0).reshape({}).shape() == Shape{});
  CHECK(zeros({0, 3}).reshape({-1, 3}).shape() == Shape{0, 3});
  CHECK(error_text([] {
          return cube().reshape({-1, 5});
        }) == "[reshape] element counts differ: input is [2, 3, 4] (24 elements), asked for [-1, 5]");
  CHECK(error_text([] {
          return cube().reshape({-1, -1});
        }) == "[reshape] expected sizes >= 0, of which one may be -1 instead, got [-1, -1]");
  CHECK(error_text([] {
          return cube().reshape({-2, 12});
        }) == "[reshape] expected sizes >= 0, of which one may be -1 instead, got [-2, 12]");
  CHECK(error_text([] {
          return zeros({0}).reshape({0, -1});
        }) == "[reshape] a size of -1 next to one of 0 could be any number: expected other sizes, got [0, -1]");
  CHECK(error_text([] {
          return cube().reshape({1, 1, 1, 1, 1, 1, 1, 1, -1});
        }) == "[reshape] rank too large: expected at most 8 axes, got 9");
  CHECK(error_text([] {
          return cube().reshape({INT64_MAX, INT64_MAX, -1});
        }) ==
        "[reshape] element counts differ: input is [2, 3, 4] (24 elements), asked for [9223372036854775807, "
        "9223372036854775807, -1]");
}

TEST_CASE("negative bounds of a slice count from the end, and out of range is an error") {
  const Tensor x = arange(5, {.dtype = DType::i64});
  CHECK(bitwise_equal(x.slice(0, -3), x.slice(0, 2, 5)));
  CHECK(bitwise_equal(x.slice(0, 1, -1), x.slice(0, 1, 4)));
  CHECK(bitwise_equal(x.slice(0, -4, kToEnd, 2), x.slice(0, 1, 5, 2)));
  CHECK(x.slice(0, -5, -5).numel() == 0);
  CHECK(x.slice(-1, 5).numel() == 0);
  const std::string range =
      "[slice] range out of bounds: expected start <= stop, both in [-5, 5], on axis 0 of [5], got ";
  CHECK(error_text([&] { return x.slice(0, -6, 3); }) == range + "[-6, 3)");
  CHECK(error_text([&] { return x.slice(0, 1, 6); }) == range + "[1, 6)");
  CHECK(error_text([&] { return x.slice(0, -1, -2); }) == range + "[-1, -2)");
  CHECK(error_text([&] { return x.slice(0, INT64_MIN, 3); }) == range + "[-9223372036854775808, 3)");
}

TEST_CASE("zeros_like, ones_like and full_like take shape and dtype") {
  const Tensor x = Tensor::from({1, 2, 3}, {3, 1}, {.dtype = DType::i64});
  CHECK(bitwise_equal(zeros_like(x), zeros({3, 1}, {.dtype = DType::i64})));
  CHECK(bitwise_equal(ones_like(x), ones({3, 1}, {.dtype = DType::i64})));
  CHECK(bitwise_equal(full_like(x, 7.0), full({3, 1}, 7.0, {.dtype = DType::i64})));
  CHECK(error_text([] { return zeros_like(Tensor()); }) == "[zeros_like] there is no tensor: expected a defined one");
}

TEST_CASE("options without a number that must be given do not compile") {
  STATIC_REQUIRE(!NothingGiven<RandintOptions>);
  STATIC_REQUIRE(NothingGiven<UniformOptions>);
  const RandintOptions options{.high = 3};
  CHECK(options.low == 0);
  CHECK(int64_t{options.high} == 3);
}

// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <vector>

#include <gradus/tensor/creation.hpp>
#include <gradus/tensor/random/random.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

namespace gradus {

using tests::error_text;

namespace {

constexpr DType kF64 = DType::f64;
constexpr DType kI64 = DType::i64;

Tensor numbers(std::initializer_list<double> values, DType dtype = kF64) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = dtype});
}

}  // namespace

TEST_CASE("arange: start, stop and step") {
  CHECK(bitwise_equal(arange(2, 6, {.dtype = kI64}), numbers({2, 3, 4, 5}, kI64)));
  CHECK(bitwise_equal(arange(5, -2, {.step = -3, .dtype = kI64}), numbers({5, 2, -1}, kI64)));
  CHECK(bitwise_equal(arange(0.0, 1.0, {.step = 0.25, .dtype = kF64}), numbers({0, 0.25, 0.5, 0.75})));
  CHECK(bitwise_equal(arange(0.0, 1.1, {.step = 0.5}), numbers({0, 0.5, 1}, DType::f32)));
  // Exact beyond 2^53, and up to the ends of int64.
  const Tensor large = arange(0x1p53, 0x1p53 + 4, {.dtype = kI64});
  for (int64_t i = 0; i < 4; ++i) CHECK(large.data<int64_t>()[i] == (int64_t{1} << 53) + i);
  const Tensor spread = arange(-0x1p63, 0x1p63, {.step = 0x1p62, .dtype = kI64});
  CHECK(spread.shape() == Shape{4});
  CHECK(spread.data<int64_t>()[0] == std::numeric_limits<int64_t>::min());
  CHECK(spread.data<int64_t>()[3] == int64_t{1} << 62);
  CHECK(arange(0x1p62, -0x1p63, {.step = -0x1p62, .dtype = kI64}).shape() == Shape{3});
  CHECK(error_text([] { return arange(0, 1e19, {.step = 1e18, .dtype = kI64}); }) ==
        "[arange] expected numbers that i64 holds, got start 0, stop 1e+19, step 1e+18");
  CHECK_THROWS_WITH(arange(0, 0x1p61, {.dtype = kI64}), tests::contains_text("[arange] too many elements"));
  CHECK(arange(3, 3).shape() == Shape{0});
  CHECK(arange(3, 1).shape() == Shape{0});
  CHECK(bitwise_equal(arange(3), numbers({0, 1, 2}, DType::f32)));
  CHECK(error_text([] { return arange(0, 1, {.step = 0}); }) ==
        "[arange] expected finite numbers and a step other than 0, got start 0, stop 1, step 0");
  CHECK_THROWS_AS(arange(0, std::nan("")), Error);
  CHECK_THROWS_WITH(arange(0.5, 3, {.dtype = kI64}), tests::contains_text("[arange] expected whole numbers for i64"));
  CHECK_THROWS_WITH(arange(0, 1e30), tests::contains_text("[arange] too many elements"));
  CHECK_THROWS_WITH(arange(0, 2, {.dtype = DType::boolean}), tests::contains_text("got bool"));
}

TEST_CASE("linspace: both ends are exact") {
  CHECK(bitwise_equal(linspace(-1, 1, 5, {.dtype = kF64}), numbers({-1, -0.5, 0, 0.5, 1})));
  CHECK(bitwise_equal(linspace(3, 1, 3), numbers({3, 2, 1}, DType::f32)));
  CHECK(bitwise_equal(linspace(7, 9, 1), numbers({7}, DType::f32)));
  CHECK(linspace(0, 1, 0).shape() == Shape{0});
  const Tensor tenths = linspace(0.1, 0.7, 1000, {.dtype = kF64});
  CHECK(tenths.at({0}) == 0.1);
  CHECK(tenths.at({999}) == 0.7);
  CHECK_THROWS_AS(linspace(0, 1, -1), Error);
  CHECK_THROWS_AS(linspace(0, 1, 2, {.dtype = kI64}), Error);
}

TEST_CASE("eye: square, wide, tall and empty") {
  CHECK(bitwise_equal(eye(2, {.dtype = kI64}), Tensor::from({1, 0, 0, 1}, {2, 2}, {.dtype = kI64})));
  CHECK(bitwise_equal(eye(2, 3), Tensor::from({1, 0, 0, 0, 1, 0}, {2, 3})));
  CHECK(bitwise_equal(eye(3, 1), Tensor::from({1, 0, 0}, {3, 1})));
  CHECK(eye(0).shape() == Shape{0, 0});
  CHECK_THROWS_AS(eye(-1), Error);
}

TEST_CASE("one_hot: a new last axis; an index out of range is named") {
  const Tensor indices = Tensor::from({2, 0, 1, 2}, {2, 2}, {.dtype = kI64});
  CHECK(bitwise_equal(one_hot(indices, 3), Tensor::from({0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1}, {2, 2, 3})));
  CHECK(bitwise_equal(one_hot(indices.transpose(0, 1), 3, {.dtype = DType::boolean}),
                      Tensor::from({0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 1}, {2, 2, 3}, {.dtype = DType::boolean})));
  CHECK(bitwise_equal(one_hot(scalar(1, {.dtype = kI64}), 2), Tensor::from({0, 1}, {2})));
  CHECK(one_hot(zeros({0, 2}, {.dtype = kI64}), 0).shape() == Shape{0, 2, 0});
  CHECK(error_text([&] { return one_hot(indices, 2); }) ==
        "[one_hot] index out of range: expected indices in [0, 1], got 2 at position 0");
  CHECK_THROWS_WITH(one_hot(numbers({-1}, kI64), 2), tests::contains_text("got -1 at position 0"));
  CHECK(error_text([] { return one_hot(zeros({2}), 2); }) == "[one_hot] expected indices of dtype i64, got f32 [2]");
  CHECK_THROWS_AS(one_hot(indices, -1), Error);
  CHECK_THROWS_WITH(one_hot(zeros({1, 1, 1, 1, 1, 1, 1, 1}, {.dtype = kI64}), 2), tests::contains_text("at most 7"));
  CHECK_THROWS_WITH(one_hot(zeros({4}, {.dtype = kI64}), int64_t{1} << 61), tests::contains_text("too many elements"));
}

TEST_CASE("borrow: shares the elements and releases them once, with the last tensor") {
  struct Owner {
    std::vector<double> values{1, 2, 3, 4, 5, 6};
    int released = 0;
  } owner;
  const auto release = [](void* context) { ++static_cast<Owner*>(context)->released; };
  Tensor x = borrow(std::span<double>(owner.values), {2, 3}, release, &owner);
  CHECK(x.data<double>() == owner.values.data());
  CHECK(x.at({1, 0}) == 4);
  Tensor row = x.select(0, 1);
  x = Tensor();
  CHECK(owner.released == 0);
  row.fill_(9);
  CHECK(owner.values[5] == 9);
  row = Tensor();
  CHECK(owner.released == 1);
  CHECK(error_text([&] { return borrow(std::span<double>(owner.values), {7}, release, &owner); }) ==
        "[borrow] wrong number of values: shape [7] takes 7, got 6");
  CHECK(owner.released == 1);
  std::vector<int64_t> none;
  CHECK(borrow(std::span<int64_t>(none), {0, 4}).shape() == Shape{0, 4});
}

TEST_CASE("to(i64): NaN becomes 0, numbers beyond int64 the nearest end") {
  const double inf = std::numeric_limits<double>::infinity();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  const double values[] = {std::nan(""), inf, -inf, 1e19, -1e19, 0x1p63, -0x1p63, 2.9, -2.9, 0x1p62};
  const int64_t expected[] = {0, kMax, kMin, kMax, kMin, kMax, kMin, 2, -2, int64_t{1} << 62};
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (size_t i = 0; i < std::size(values); ++i) {
      INFO(values[i]);
      CHECK(full({2}, values[i], {.dtype = dtype}).to(kI64).data<int64_t>()[1] == expected[i]);
      CHECK(full({2}, values[i], {.dtype = kI64}).data<int64_t>()[1] == expected[i]);
    }
  }
}

TEST_CASE("random tensors: empty, of rank 0 and of rank 8") {
  for (const Shape& shape : {Shape{}, Shape{0, 3}, Shape{1, 2, 1, 2, 1, 2, 1, 2}}) {
    Generator generator(3);
    CHECK(uniform(shape, generator).shape() == shape);
    CHECK(normal(shape, generator).shape() == shape);
    CHECK(bernoulli(shape, generator, 0.5).shape() == shape);
    CHECK(randint(shape, generator, {.low = 0, .high = 5}).shape() == shape);
  }
  Generator generator(3);
  CHECK(permutation(0, generator).shape() == Shape{0});
}

}  // namespace gradus

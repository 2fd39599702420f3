// SPDX-License-Identifier: MIT
// split, split_every, chunk, diagonal, flip, roll, pad, repeat, tile: values, shared bytes, edges and derivatives.
#include <functional>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/tensor/creation.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using tests::error_text;

namespace {

Tensor counted(const Shape& shape) { return arange(shape.numel(), {.dtype = DType::i64}).reshape(shape); }

Tensor whole(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::i64});
}

void check_value(const Variable& got, const Tensor& expected) {
  INFO("got " << to_string(got.value()) << ", expected " << to_string(expected));
  CHECK(bitwise_equal(got.value(), expected));
}

bool shares(const Variable& view, const Tensor& x) { return view.value().storage().is_same(x.storage()); }

std::vector<int64_t> sizes_of(const std::vector<Variable>& parts, int64_t axis) {
  std::vector<int64_t> out;
  for (const Variable& part : parts) out.push_back(part.size(axis));
  return out;
}

using Sizes = std::vector<int64_t>;

}  // namespace

// In PyTorch's order, the numbers would have another meaning.
template <class X>
concept TakesNumbersAlone = requires(X x) {
  chunk(x, 2, 1);
}
|| requires(X x) { roll(x, 1, 0); }
|| requires(X x) { split_every(x, 2, 1); };
static_assert(!TakesNumbersAlone<Variable>);

TEST_CASE("split, split_every, chunk: consecutive pieces that share the bytes") {
  const Tensor x = counted({2, 5});
  const auto parts = split(x, -1, {2, 0, 3});
  REQUIRE(parts.size() == 3);
  check_value(parts[0], whole({0, 1, 5, 6}, {2, 2}));
  CHECK(parts[1].shape() == Shape{2, 0});
  check_value(parts[2], whole({2, 3, 4, 7, 8, 9}, {2, 3}));
  for (const Variable& part : parts) CHECK(shares(part, x));

  CHECK(sizes_of(split_every(x, {.axis = 1, .size = 2}), 1) == Sizes{2, 2, 1});
  CHECK(sizes_of(split_every(x, {.axis = 1, .size = 9}), 1) == Sizes{5});
  check_value(split_every(x, {.axis = 1, .size = 2})[2], whole({4, 9}, {2, 1}));
  CHECK(split_every(zeros({0, 2}), {.axis = 0, .size = 3}).empty());

  CHECK(sizes_of(chunk(x, {.axis = 1, .count = 3}), 1) == Sizes{2, 2, 1});
  CHECK(sizes_of(chunk(x, {.axis = 0, .count = 3}), 0) == Sizes{1, 1, 0});
  CHECK(sizes_of(chunk(zeros({0}), {.axis = 0, .count = 2}), 0) == Sizes{0, 0});
  check_value(chunk(x, {.axis = 1, .count = 3})[1], whole({2, 3, 7, 8}, {2, 2}));

  CHECK(split(zeros({0, 2}), 0, {}).empty());
  CHECK_THROWS_WITH(split(x, 1, {}), tests::contains_text("[split] expected sizes >= 0 with sum 5 on axis 1"));
  CHECK(error_text([&] { return split_every(x, {.axis = 1, .size = 0}); }) ==
        "[split_every] expected a size > 0, got 0");
  CHECK(error_text([&] { return chunk(x, {.axis = 1, .count = 0}); }) == "[chunk] expected a count > 0, got 0");
  CHECK_THROWS_WITH(chunk(scalar(1), {.axis = 0, .count = 1}), tests::contains_text("the rank is 0"));
}

TEST_CASE("diagonal: any two axes and any offset, as a view") {
  const Tensor x = counted({3, 4});
  check_value(diagonal(x, 0, 1), whole({0, 5, 10}, {3}));
  check_value(diagonal(x, 0, 1, {.offset = 2}), whole({2, 7}, {2}));
  check_value(diagonal(x, 0, 1, {.offset = -1}), whole({4, 9}, {2}));
  check_value(diagonal(x, 1, 0, {.offset = 1}), whole({4, 9}, {2}));
  CHECK(diagonal(x, 0, 1, {.offset = 4}).shape() == Shape{0});
  CHECK(diagonal(x, 0, 1, {.offset = INT64_MIN}).shape() == Shape{0});
  CHECK(diagonal(x, 0, 1, {.offset = INT64_MAX}).shape() == Shape{0});
  CHECK(shares(diagonal(x, 0, 1), x));
  check_value(diagonal(counted({2, 2, 2}), 0, -1), whole({0, 5, 2, 7}, {2, 2}));
  CHECK(diagonal(zeros({2, 1, 2, 1, 2, 1, 2, 3}), -2, -1).shape() == Shape{2, 1, 2, 1, 2, 1, 2});
  // The derivative of a trace.
  const Variable leaf_of_square = leaf(zeros({3, 3}));
  check_value(grad({sum(diagonal(leaf_of_square, 0, 1))}, {leaf_of_square})[0], eye(3));
}

TEST_CASE("flip and roll: values of every dtype") {
  const Tensor x = counted({2, 3});
  check_value(flip(x, {1}), whole({2, 1, 0, 5, 4, 3}, {2, 3}));
  check_value(flip(x, {0}), whole({3, 4, 5, 0, 1, 2}, {2, 3}));
  check_value(flip(x, {}), whole({5, 4, 3, 2, 1, 0}, {2, 3}));
  check_value(flip(x.transpose(0, 1), {-1}), whole({3, 0, 4, 1, 5, 2}, {3, 2}));
  check_value(flip(scalar(3), {}), scalar(3));
  check_value(flip(Tensor::from({1, 0, 0}, {3}, {.dtype = DType::boolean}), {0}),
              Tensor::from({0, 0, 1}, {3}, {.dtype = DType::boolean}));
  check_value(flip(ones({2}).expand({4, 2}), {0}), ones({4, 2}));
  CHECK_THROWS_WITH(flip(x, {2}), tests::contains_text("[flip] axis out of range"));
  CHECK_THROWS_WITH(flip(x, {1, -1}), tests::contains_text("[flip] axis -1 is named twice"));

  check_value(roll(x, {.axis = 1, .shift = 1}), whole({2, 0, 1, 5, 3, 4}, {2, 3}));
  check_value(roll(x, {.axis = -1, .shift = -1}), whole({1, 2, 0, 4, 5, 3}, {2, 3}));
  check_value(roll(x, {.axis = 0, .shift = 3}), whole({3, 4, 5, 0, 1, 2}, {2, 3}));
  check_value(roll(x, {.axis = 1, .shift = 0}), x);
}

TEST_CASE("pad, repeat, tile: values, and sizes beyond 64 bits are refused") {
  const Tensor x = counted({2, 2});
  check_value(pad(x, {{1, 0}, {0, 1}}, {.value = 7}), whole({7, 7, 7, 0, 1, 7, 2, 3, 7}, {3, 3}));
  check_value(pad(Tensor::from({1}, {1}, {.dtype = DType::boolean}), {{1, 1}}),
              Tensor::from({0, 1, 0}, {3}, {.dtype = DType::boolean}));
  check_value(repeat(x, {1, 2}), whole({0, 1, 0, 1, 2, 3, 2, 3}, {2, 4}));
  check_value(repeat(x.transpose(0, 1), {2, 1}), whole({0, 2, 1, 3, 0, 2, 1, 3}, {4, 2}));
  check_value(tile(whole({1, 2}, {2}), {2, 2}), whole({1, 2, 1, 2, 1, 2, 1, 2}, {2, 4}));
  check_value(tile(x, {2}), whole({0, 1, 0, 1, 2, 3, 2, 3}, {2, 4}));
  check_value(tile(scalar(5), {3}), full({3}, 5));
  CHECK(tile(x, {0}).shape() == Shape{2, 0});

  const int64_t huge = int64_t{1} << 62;
  CHECK_THROWS_WITH(pad(x, {{huge, huge}, {0, 0}}), tests::contains_text("[pad] too many elements"));
  CHECK_THROWS_WITH(pad(x, {{huge, 0}, {0, 0}}), tests::contains_text("too many elements"));
  CHECK_THROWS_WITH(repeat(x, {huge, 1}), tests::contains_text("[repeat] too many elements"));
  CHECK_THROWS_WITH(repeat(x, {int64_t{1} << 40, int64_t{1} << 40}), tests::contains_text("too many elements"));
  CHECK_THROWS_WITH(expand(x, {huge, 2, 2}), tests::contains_text("too many elements"));
  CHECK_THROWS_WITH(tile(ones({1, 1, 1, 1, 1, 1, 1, 1}), {1, 1, 1, 1, 1, 1, 1, 1, 2}),
                    tests::contains_text("rank too large"));
}

TEST_CASE("movement at rank 8, forward and back") {
  const Tensor x = counted({2, 1, 3, 1, 2, 1, 1, 2}).to(DType::f64);
  const auto run = [](const std::vector<Variable>& in) {
    const Variable y = repeat(flip(in[0], {0, 2, -1}), {2, 1, 1, 3, 1, 1, 2, 1});
    const std::vector<Padding> around(8, {0, 1});
    return std::vector<Variable>{pad(roll(y, {.axis = 2, .shift = 1}), around), diagonal(in[0], 0, 4),
                                 split(in[0], 2, {1, 2})[1]};
  };
  const GradcheckReport report = gradcheck(run, {{"x", x}}, {.mode = GradcheckMode::directional});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(run({x})[0].shape() == Shape{5, 2, 4, 4, 3, 2, 3, 3});
}

TEST_CASE("movement composed: first and second derivatives") {
  const uint64_t seed = tests::seed(71);
  detail::RandomTensors random(seed);
  const auto run = [](const std::vector<Variable>& in) {
    const Variable y = square(in[0]);
    const auto parts = chunk(y, {.axis = 1, .count = 3});
    return std::vector<Variable>{parts[0] * parts[1], split_every(y, {.axis = 0, .size = 2})[1], tile(y, {2, 1, 2}),
                                 diagonal(matmul(y, transpose(y, 0, 1)), 0, 1, {.offset = -1})};
  };
  const GradcheckReport report = gradcheck(run, {{"x", random.floating({3, 6})}}, {.order = 2, .seed = seed});
  INFO("seed " << seed << "\n" << report.text());
  CHECK(report.ok);
}

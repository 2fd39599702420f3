// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <vector>

#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/tensor.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/index_map.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus {
namespace {

using tests::places;
using tests::RandomNumbers;

constexpr DType kDTypes[] = {DType::f32, DType::f64, DType::i64, DType::boolean};

// A storage large enough for the layout, filled with small integers, some negative (0 and 1 for bool).
Tensor numbered(RandomNumbers& random, const Layout& layout, DType dtype) {
  int64_t size = 1;
  for (const int64_t at : places(layout)) size = std::max(size, at + 1);
  Tensor block = Tensor::empty({size}, dtype);
  dispatch_all(dtype, [&]<class T>() {
    T* data = block.mutable_data_<T>();
    for (int64_t i = 0; i < size; ++i) data[i] = static_cast<T>(random.integer(-3, 3));
  });
  return block.view(layout);
}

// All elements of the storage, as doubles.
std::vector<double> storage_values(const Tensor& x) {
  std::vector<double> out;
  dispatch_all(x.dtype(), [&]<class T>() {
    const T* data = static_cast<const T*>(x.storage().data());
    const auto count = x.storage().bytes() / sizeof(T);
    for (size_t i = 0; i < count; ++i) out.push_back(static_cast<double>(data[i]));
  });
  return out;
}

double as_dtype(double value, DType dtype) { return dtype == DType::boolean ? static_cast<double>(value != 0) : value; }

}  // namespace

TEST_CASE("copy_: writes exactly the view's elements, for all dtypes and layouts") {
  const uint64_t seed = tests::seed(41);
  INFO("seed " << seed);
  RandomNumbers random(seed);
  for (int round = 0; round < 400; ++round) {
    const auto rank = static_cast<int>(random.integer(0, round % 20 == 0 ? 8 : 4));
    const Shape shape = tests::random_shape(random, rank, rank > 4 ? 2 : 4);
    const DType from = kDTypes[random.integer(0, 3)];
    const DType to = kDTypes[random.integer(0, 3)];
    const Tensor source = numbered(random, tests::random_layout(random, shape, true), from);
    Tensor target = numbered(random, tests::random_layout(random, shape, false), to);
    INFO("round " << round << ": " << describe(source) << " to " << describe(target));

    std::vector<double> expected = storage_values(target);
    const std::vector<double> given = storage_values(source);
    const std::vector<int64_t> read = places(source.layout());
    const std::vector<int64_t> written = places(target.layout());
    for (size_t i = 0; i < read.size(); ++i) {
      expected[static_cast<size_t>(written[i])] = as_dtype(given[static_cast<size_t>(read[i])], to);
    }
    target.copy_(source);
    REQUIRE(storage_values(target) == expected);

    Tensor filled = target;
    for (const int64_t at : written) expected[static_cast<size_t>(at)] = as_dtype(-2.0, to);
    filled.fill_(-2.0);
    REQUIRE(storage_values(target) == expected);
  }
}

TEST_CASE("clone, contiguous and to: the same elements, dense") {
  const uint64_t seed = tests::seed(42);
  INFO("seed " << seed);
  RandomNumbers random(seed);
  for (int round = 0; round < 200; ++round) {
    const Shape shape = tests::random_shape(random, static_cast<int>(random.integer(0, 5)));
    const DType dtype = kDTypes[random.integer(0, 3)];
    const Tensor x = numbered(random, tests::random_layout(random, shape, true), dtype);
    const std::vector<double> stored = storage_values(x);
    std::vector<double> expected;
    for (const int64_t at : places(x.layout())) expected.push_back(stored[static_cast<size_t>(at)]);
    INFO("round " << round << ": " << describe(x));
    REQUIRE(storage_values(x.clone()) == expected);
    if (!x.is_contiguous()) REQUIRE(storage_values(x.contiguous()) == expected);
    for (const DType other : kDTypes) {
      if (other == dtype) continue;
      std::vector<double> converted;
      for (const double value : expected) converted.push_back(as_dtype(value, other));
      REQUIRE(storage_values(x.to(other)) == converted);
    }
  }
}

TEST_CASE("to: floating to integer truncates towards zero, anything but zero is true") {
  const Tensor x = Tensor::from({-1.9, -0.5, 0.0, 0.5, 1.9}, {5}, {.dtype = DType::f64});
  CHECK(storage_values(x.to(DType::i64)) == std::vector<double>{-1, 0, 0, 0, 1});
  CHECK(storage_values(x.to(DType::boolean)) == std::vector<double>{1, 1, 0, 1, 1});
  CHECK(storage_values(x.to(DType::i64).to(DType::boolean)) == std::vector<double>{1, 0, 0, 0, 1});
}

TEST_CASE("copy_: large tensors are the same at any number of threads") {
  const Tensor x = arange(300 * 1000).reshape({300, 1000});
  for (const int threads : {1, 3}) {
    const detail::ThreadCountScope scope(threads);
    const Tensor turned = x.transpose(0, 1).clone();
    REQUIRE(turned.at({999, 299}) == 299999.0);
    REQUIRE(bitwise_equal(turned.transpose(0, 1), x));
    Tensor half = zeros({300, 500});
    half.copy_(x.slice(1, 1, 1000, 2));
    REQUIRE(half.at({299, 499}) == 299999.0);
    REQUIRE(bitwise_equal(half, x.slice(1, 1, 1000, 2)));
  }
}

TEST_CASE("copy_ and add_: a source that overlaps the target is read before it is written") {
  Tensor x = arange(10);
  x.slice(0, 1, 10).copy_(x.slice(0, 0, 9));
  CHECK(storage_values(x) == std::vector<double>{0, 0, 1, 2, 3, 4, 5, 6, 7, 8});

  Tensor square = arange(9).reshape({3, 3});
  square.copy_(square.transpose(0, 1));
  CHECK(storage_values(square) == std::vector<double>{0, 3, 6, 1, 4, 7, 2, 5, 8});

  Tensor sum = arange(4).reshape({2, 2});
  sum.add_(sum.transpose(0, 1));
  CHECK(storage_values(sum) == std::vector<double>{0, 3, 3, 6});

  Tensor twice = arange(3);
  twice.add_(twice);
  CHECK(storage_values(twice) == std::vector<double>{0, 2, 4});
  twice.copy_(twice);
  CHECK(storage_values(twice) == std::vector<double>{0, 2, 4});
}

}  // namespace gradus

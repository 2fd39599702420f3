// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <gradus/tensor/kernels/random/random.hpp>
#include <gradus/tensor/random/random.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

namespace gradus {
namespace {

using tests::error_text;

// The words of a stream, one block at a time.
std::vector<uint32_t> words_of(const GeneratorState& state, int64_t count) {
  std::vector<uint32_t> words(static_cast<size_t>((count + 3) / 4 * 4));
  for (int64_t block = 0; block < (count + 3) / 4; ++block) {
    kernels::philox(state.seed, state.counter + static_cast<uint64_t>(block), 0, words.data() + 4 * block, 1);
  }
  return words;
}

uint64_t word64(const std::vector<uint32_t>& words, int64_t i) {
  return words[static_cast<size_t>(i)] | static_cast<uint64_t>(words[static_cast<size_t>(i) + 1]) << 32;
}

struct Moments {
  double mean = 0;
  double variance = 0;
};

Moments moments(const Tensor& x) {
  const Tensor values = x.to(DType::f64);
  const auto n = static_cast<double>(values.numel());
  Moments out;
  for (int64_t i = 0; i < values.numel(); ++i) out.mean += values.data<double>()[i] / n;
  for (int64_t i = 0; i < values.numel(); ++i) out.variance += std::pow(values.data<double>()[i] - out.mean, 2) / n;
  return out;
}

double correlation(const Tensor& x, const Tensor& y) {
  const Moments a = moments(x);
  const Moments b = moments(y);
  double sum = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    sum += (static_cast<double>(x.data<float>()[i]) - a.mean) * (static_cast<double>(y.data<float>()[i]) - b.mean);
  }
  return sum / static_cast<double>(x.numel()) / std::sqrt(a.variance * b.variance);
}

}  // namespace

TEST_CASE("uniform: element i is made of its own bits of the stream") {
  Generator generator(77);
  generator.set_state({.seed = 77, .counter = 5});
  const std::vector<uint32_t> words = words_of(generator.state(), 2003);
  const Tensor single = uniform({1001}, generator);
  for (int64_t i = 0; i < 1001; ++i) {
    REQUIRE(single.data<float>()[i] == static_cast<float>(words[static_cast<size_t>(i)] >> 8) / 16777216.0f);
  }
  generator.set_state({.seed = 77, .counter = 5});
  const Tensor twice = uniform({7, 143}, generator, {.low = -1, .high = 3, .dtype = DType::f64});
  for (int64_t i = 0; i < 1001; ++i) {
    const double unit = static_cast<double>(word64(words, 2 * i) >> 12) * 0x1p-52;
    REQUIRE(twice.data<double>()[i] == -1 + 4 * unit);
  }
}

TEST_CASE("normal: element i is Box and Muller's formula of its own draws") {
  // Measured: 1.4e-6 in f32 (the product of the angle and 2 pi is rounded, and a cosine near 0 shows all of that),
  // 1.8e-15 in f64. The limits are four times as large.
  for (const DType dtype : {DType::f32, DType::f64}) {
    Generator generator(123456789);
    const int64_t per_element = dtype == DType::f32 ? 2 : 4;
    const std::vector<uint32_t> words = words_of(generator.state(), 4001 * per_element);
    const Tensor x = normal({4001}, generator, {.mean = 0.5, .std = 2, .dtype = dtype}).to(DType::f64);
    double worst = 0;
    for (int64_t i = 0; i < 4001; ++i) {
      double u = 0, v = 0;
      if (dtype == DType::f32) {
        u = (static_cast<double>(words[static_cast<size_t>(2 * i)] >> 1) + 0.5) * 0x1p-31;
        v = static_cast<double>(static_cast<int32_t>(words[static_cast<size_t>(2 * i) + 1]) >> 8) * 0x1p-24;
      } else {
        u = 1 - static_cast<double>(word64(words, 4 * i) >> 12) * 0x1p-52;
        v = static_cast<double>(word64(words, 4 * i + 2) >> 12) * 0x1p-52 - 0.5;
      }
      const double expected = 0.5 + 2 * std::sqrt(-2 * std::log(u)) * std::cos(2 * 3.14159265358979323846 * v);
      worst = std::max(worst, std::fabs(x.data<double>()[i] - expected));
    }
    INFO(dtype_name(dtype) << ": " << worst);
    CHECK(worst < (dtype == DType::f32 ? 5.6e-6 : 7.2e-15));
  }
}

TEST_CASE("randint and bernoulli: element i is made of its own bits of the stream") {
  Generator generator(9);
  const std::vector<uint32_t> words = words_of(generator.state(), 2000);
  const Tensor wide = randint({1000}, generator, {.low = INT64_MIN, .high = INT64_MAX});
  generator.set_state({.seed = 9, .counter = 0});
  const Tensor narrow = randint({1000}, generator, {.low = -5, .high = 1019});
  generator.set_state({.seed = 9, .counter = 0});
  const Tensor coin = bernoulli({2000}, generator, 0.25);
  for (int64_t i = 0; i < 1000; ++i) {
    const uint64_t bits = word64(words, 2 * i);
    // bits * (2^64 - 1) / 2^64 is bits - 1, or 0.
    REQUIRE(wide.data<int64_t>()[i] == static_cast<int64_t>((bits == 0 ? 0 : bits - 1) ^ (uint64_t{1} << 63)));
    REQUIRE(narrow.data<int64_t>()[i] == -5 + static_cast<int64_t>(bits >> 54));
  }
  for (int64_t i = 0; i < 2000; ++i) {
    REQUIRE(coin.data<bool>()[i] == (words[static_cast<size_t>(i)] < uint32_t{1} << 30));
  }
}

TEST_CASE("uniform: stays below high even where rounding would reach it") {
  Generator generator(4);
  const Tensor tight = uniform({20000}, generator, {.low = 1.0, .high = 1.0 + 3 * 0x1p-23});
  const Tensor large = uniform({20000}, generator, {.low = 16777216.0, .high = 16777220.0});
  const Tensor degenerate = uniform({10}, generator, {.low = 2.5, .high = 2.5, .dtype = DType::f64});
  bool reaches_last = false;
  for (int64_t i = 0; i < 20000; ++i) {
    const float x = tight.data<float>()[i];
    REQUIRE((x >= 1.0f && x < 1.0f + 3 * 0x1p-23f));
    reaches_last = reaches_last || x == 1.0f + 2 * 0x1p-23f;
    REQUIRE((large.data<float>()[i] >= 16777216.0f && large.data<float>()[i] < 16777220.0f));
  }
  CHECK(reaches_last);
  for (int64_t i = 0; i < 10; ++i) CHECK(degenerate.data<double>()[i] == 2.5);
}

TEST_CASE("random tensors: mean, variance and tails are those of the distribution") {
  // 200,000 draws: five standard errors of each mean and variance.
  constexpr int64_t kCount = 200000;
  const double root = std::sqrt(static_cast<double>(kCount));
  Generator generator(2024);
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Moments u = moments(uniform({kCount}, generator, {.low = -1, .high = 1, .dtype = dtype}));
    CHECK(std::fabs(u.mean) < 5 * std::sqrt(1.0 / 3) / root);
    CHECK(std::fabs(u.variance - 1.0 / 3) < 5 * std::sqrt(4.0 / 45) / root);

    const Tensor z = normal({kCount}, generator, {.mean = 3, .std = 0.5, .dtype = dtype});
    const Moments m = moments(z);
    CHECK(std::fabs(m.mean - 3) < 5 * 0.5 / root);
    CHECK(std::fabs(m.variance - 0.25) < 5 * 0.25 * std::sqrt(2.0) / root);
    // P(|z| > 2) = 0.0455, P(|z| > 4) = 6.33e-5.
    int beyond_two = 0, beyond_four = 0;
    const Tensor wide = z.to(DType::f64);
    for (int64_t i = 0; i < kCount; ++i) {
      const double distance = std::fabs(wide.data<double>()[i] - 3) / 0.5;
      beyond_two += distance > 2;
      beyond_four += distance > 4;
    }
    CHECK(std::fabs(beyond_two - 0.0455003 * kCount) < 5 * std::sqrt(0.0455 * kCount));
    CHECK(std::fabs(beyond_four - 6.334e-5 * kCount) < 5 * std::sqrt(6.334e-5 * kCount));
  }
  const Moments b = moments(bernoulli({kCount}, generator, 0.1));
  CHECK(std::fabs(b.mean - 0.1) < 5 * 0.3 / root);
}

TEST_CASE("randint: every value of a small range is about equally frequent") {
  Generator generator(5);
  const Tensor x = randint({70000}, generator, {.low = -3, .high = 4});
  std::vector<int> counts(7, 0);
  for (int64_t i = 0; i < 70000; ++i) ++counts[static_cast<size_t>(x.data<int64_t>()[i] + 3)];
  double chi2 = 0;
  for (const int count : counts) chi2 += std::pow(count - 10000, 2) / 10000.0;
  CHECK(chi2 < 27.9);  // P(chi-squared with 6 degrees of freedom > 27.9) = 1e-4
  CHECK(randint({4}, generator, {.low = 8, .high = 9}).at({3}) == 8.0);
}

TEST_CASE("permutation: each number once, each order about equally frequent") {
  Generator generator(6);
  const Tensor large = permutation(5000, generator);
  std::vector<bool> seen(5000, false);
  int64_t fixed_points = 0;
  for (int64_t i = 0; i < 5000; ++i) {
    const int64_t value = large.data<int64_t>()[i];
    REQUIRE((value >= 0 && value < 5000 && !seen[static_cast<size_t>(value)]));
    seen[static_cast<size_t>(value)] = true;
    fixed_points += value == i;
  }
  CHECK(fixed_points < 12);  // Poisson with mean 1
  std::vector<int> counts(64, 0);
  for (int round = 0; round < 24000; ++round) {
    const Tensor order = permutation(4, generator);
    ++counts[static_cast<size_t>(order.at({0}) + 4 * order.at({1}) + 16 * order.at({2}))];
  }
  double chi2 = 0;
  int orders = 0;
  for (const int count : counts) {
    if (count == 0) continue;
    ++orders;
    chi2 += std::pow(count - 1000, 2) / 1000.0;
  }
  CHECK(orders == 24);
  CHECK(chi2 < 58.6);  // P(chi-squared with 23 degrees of freedom > 58.6) = 6e-5
  CHECK(permutation(0, generator).shape() == Shape{0});
  CHECK(permutation(1, generator).at({0}) == 0.0);
}

TEST_CASE("Generator: draws advance the counter past the words they used") {
  Generator generator(3);
  CHECK(generator.seed() == 3);
  CHECK(generator.counter() == 0);
  const auto check_advance = [&](uint64_t blocks, const auto& draw) {
    const uint64_t before = generator.counter();
    static_cast<void>(draw());
    CHECK(generator.counter() == before + blocks);
  };
  check_advance(3, [&] { return uniform({9}, generator); });
  check_advance(5, [&] { return uniform({9}, generator, {.dtype = DType::f64}); });
  check_advance(5, [&] { return normal({9}, generator); });
  check_advance(9, [&] { return normal({9}, generator, {.dtype = DType::f64}); });
  check_advance(5, [&] { return randint({9}, generator, {.low = 0, .high = 2}); });
  check_advance(3, [&] { return bernoulli({9}, generator, 0.5); });
  check_advance(5, [&] { return permutation(9, generator); });
  check_advance(1, [&] { return generator.split(); });
  check_advance(0, [&] { return uniform({0}, generator); });
  check_advance(0, [&] { return generator.reserve(0); });
  const uint64_t before = generator.counter();
  CHECK(generator.reserve(5).counter == before);
  CHECK(generator.reserve(1).counter == before + 2);
  CHECK(generator.reserve(1).key == 3);
}

TEST_CASE("Generator: the same state gives the same numbers, a saved state continues the stream") {
  Generator a(42);
  Generator b(42);
  CHECK(bitwise_equal(normal({100}, a), normal({100}, b)));
  const GeneratorState saved = a.state();
  const Tensor first = uniform({100}, a);
  CHECK_FALSE(bitwise_equal(first, uniform({100}, a)));
  Generator c(0);
  c.set_state(saved);
  CHECK(bitwise_equal(first, uniform({100}, c)));
  Generator other(43);
  CHECK_FALSE(bitwise_equal(uniform({100}, other), uniform({100}, b)));
}

TEST_CASE("Generator: split streams are reproducible, differ, and do not correlate") {
  Generator parent(1);
  Generator again(1);
  Generator first = parent.split();
  Generator second = parent.split();
  Generator grandchild = first.split();
  Generator first_again = again.split();
  CHECK(first_again.seed() == first.seed());
  CHECK(first.seed() != second.seed());
  constexpr int64_t kCount = 20000;
  const std::vector<Tensor> streams = {uniform({kCount}, parent), uniform({kCount}, first), uniform({kCount}, second),
                                       uniform({kCount}, grandchild)};
  for (size_t i = 0; i < streams.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      CHECK(std::fabs(correlation(streams[i], streams[k])) < 5 / std::sqrt(static_cast<double>(kCount)));
    }
  }
  // The child's seed is not one of the words that the parent gives out as values.
  const std::vector<uint32_t> words = words_of({.seed = 1, .counter = 0}, 4);
  CHECK(first.seed() != word64(words, 0));
}

TEST_CASE("Generator: one that was moved away refuses to repeat its numbers") {
  Generator a(7);
  static_cast<void>(uniform({8}, a));
  Generator b = std::move(a);
  CHECK(b.counter() == 2);
  CHECK(error_text([&] { return uniform({1}, a); }) ==  // NOLINT(bugprone-use-after-move)
        "[generator] this generator was moved away and would repeat numbers");
  CHECK_THROWS_AS(a.split(), Error);
  a = std::move(b);
  CHECK(a.counter() == 2);
  CHECK_THROWS_AS(b.reserve(1), Error);  // NOLINT(bugprone-use-after-move)
  CHECK(uniform({1}, a).numel() == 1);
}

TEST_CASE("random tensors: wrong options are refused, and leave the stream alone") {
  Generator generator(1);
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(error_text([&] { return uniform({1}, generator, {.low = 1, .high = 0}); }) ==
        "[uniform] expected finite low <= high with a finite difference, got low 1 and high 0");
  CHECK_THROWS_AS(uniform({1}, generator, {.low = -infinity}), Error);
  CHECK_THROWS_AS(uniform({1}, generator, {.low = std::nan("")}), Error);
  CHECK_THROWS_AS(uniform({1}, generator, {.low = -3e38, .high = 3e38}), Error);
  CHECK(error_text([&] { return uniform({1}, generator, {.dtype = DType::i64}); }) ==
        "[uniform] expected a floating dtype (f32 or f64), got i64");
  CHECK(error_text([&] { return normal({1}, generator, {.std = -1}); }) ==
        "[normal] expected a finite mean and a finite std >= 0, got mean 0 and std -1");
  CHECK_THROWS_AS(normal({1}, generator, {.mean = infinity}), Error);
  CHECK(error_text([&] { return normal({1}, generator, {.dtype = DType::boolean}); }) ==
        "[normal] expected a floating dtype (f32 or f64), got bool");
  CHECK(error_text([&] { return randint({1}, generator, {.low = 3, .high = 3}); }) ==
        "[randint] expected low < high, got low 3 and high 3");
  CHECK(error_text([&] { return bernoulli({1}, generator, 1.5); }) ==
        "[bernoulli] expected a probability in [0, 1], got 1.5");
  CHECK_THROWS_AS(bernoulli({1}, generator, std::nan("")), Error);
  CHECK(error_text([&] { return permutation(-1, generator); }) == "[permutation] expected a count >= 0, got -1");
  CHECK(error_text([&] { return generator.reserve(-1); }) == "[generator] expected a number of words >= 0, got -1");
  CHECK(generator.counter() == 0);
}

}  // namespace gradus

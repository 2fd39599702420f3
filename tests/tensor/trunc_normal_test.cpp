// SPDX-License-Identifier: MIT
// The truncated normal distribution, held to its definition.
#include <cmath>
#include <limits>
#include <optional>

#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/random/random.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

namespace gradus {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double share_below(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double density(double x) { return std::isinf(x) ? 0.0 : std::exp(-0.5 * x * x) / std::sqrt(2.0 * std::acos(-1.0)); }
double times_density(double x) { return std::isinf(x) ? 0.0 : x * density(x); }

// Bounds in standard deviations.
struct Cut {
  double low;
  double high;
};
constexpr Cut kCuts[] = {{-2.0, 2.0}, {-0.5, 3.0},    {1.0, kInfinity}, {-kInfinity, 0.25}, {-30.0, 30.0},
                         {7.0, 8.0},  {-21.0, -20.0}, {0.1, 0.1001},    {-40.0, 1000.0},    {-kInfinity, kInfinity}};

}  // namespace

TEST_CASE("trunc_normal: the share of the distribution below each number is the uniform draw") {
  const uint64_t seed = tests::seed(71);
  INFO("seed " << seed);
  for (const Cut& cut : kCuts) {
    INFO("from " << cut.low << " to " << cut.high);
    // The left tail: there small shares have all their digits.
    const double side = cut.low + cut.high > 0.0 ? -1.0 : 1.0;
    const double low = side > 0.0 ? cut.low : -cut.high, high = side > 0.0 ? cut.high : -cut.low;
    const double below = share_below(low), all = share_below(high) - below;
    Generator generator(seed), same(seed);
    const Tensor u = uniform({3000}, generator, {.dtype = DType::f64});
    const Tensor x = trunc_normal(
        {3000}, same,
        {.mean = 0.5, .std = 0.25, .low = 0.5 + 0.25 * cut.low, .high = 0.5 + 0.25 * cut.high, .dtype = DType::f64});
    double worst = 0.0;
    for (int64_t i = 0; i < 3000; ++i) {
      const double z = side * (x.data<double>()[i] - 0.5) / 0.25;
      const double expected = below + all * (u.data<double>()[i] + 0x1p-53);
      // A number is exact to about 2^-52 of itself and the mean, which moves the share by the density times that.
      const double rounding = density(z) * (std::abs(z) + 3.0) * 0x1p-52 + expected * 0x1p-52;
      worst = std::max(worst, std::abs(share_below(z) - expected) / rounding);
    }
    CHECK(worst < 16.0);
    CHECK(generator.counter() == same.counter());
  }
}

TEST_CASE("trunc_normal: no number is beyond the bounds, in its own dtype; mean and variance are right") {
  const uint64_t seed = tests::seed(72);
  INFO("seed " << seed);
  Generator generator(seed);
  constexpr int64_t kCount = 100'000;
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const Cut& cut : {Cut{-2.0, 2.0}, Cut{-0.5, 3.0}, Cut{1.0, kInfinity}, Cut{3.0, 3.5}}) {
      INFO(dtype_name(dtype) << " from " << cut.low << " to " << cut.high);
      constexpr double kMean = -0.1, kStd = 0.7;
      const double low = kMean + kStd * cut.low, high = kMean + kStd * cut.high;
      const Tensor x =
          trunc_normal({kCount}, generator, {.mean = kMean, .std = kStd, .low = low, .high = high, .dtype = dtype})
              .to(DType::f64);
      const double all = share_below(cut.high) - share_below(cut.low);
      const double shift = (density(cut.low) - density(cut.high)) / all;
      const double mean = kMean + kStd * shift;
      const double variance =
          kStd * kStd * (1.0 + (times_density(cut.low) - times_density(cut.high)) / all - shift * shift);
      double sum = 0.0, squares = 0.0, least = kInfinity, most = -kInfinity;
      for (int64_t i = 0; i < kCount; ++i) {
        const double value = x.data<double>()[i];
        least = std::min(least, value);
        most = std::max(most, value);
        sum += value;
        squares += (value - mean) * (value - mean);
      }
      CHECK(least >= low);
      CHECK(most <= high);
      // The bounds are reached to a share of 1e-3.
      CHECK(share_below((least - kMean) / kStd) < share_below(cut.low) + 1e-3 * all);
      CHECK(share_below((most - kMean) / kStd) > share_below(cut.high) - 1e-3 * all);
      // Five standard errors; the fourth moment of these is below 4 squared variances, of the tail below 9.
      CHECK(std::abs(sum / kCount - mean) < 5.0 * std::sqrt(variance / kCount));
      CHECK(std::abs(squares / kCount - variance) < 5.0 * variance * std::sqrt(8.0 / kCount));
    }
  }
  // Bounds that f32 does not have, and few numbers of f32 between them.
  for (const double low : {0.1, 0.3, 0.7, 0.9}) {
    for (const double high : {low + 2e-7, low + 3e-7, low + 4e-7}) {
      INFO("from " << low << " to " << high);
      const Tensor narrow = trunc_normal({500}, generator, {.low = low, .high = high}).to(DType::f64);
      bool inside = true;
      for (int64_t i = 0; i < narrow.numel(); ++i) {
        inside = inside && narrow.data<double>()[i] >= low && narrow.data<double>()[i] <= high;
      }
      CHECK(inside);
    }
  }
}

TEST_CASE("trunc_normal: two std by default; the same bits for a seed and for 1 and 2 threads; f32 is f64 rounded") {
  const auto drawn = [](uint64_t seed, const TruncNormalOptions& options) {
    Generator generator(seed);
    return trunc_normal({200, 257}, generator, options);
  };
  Tensor two_threads;
  {
    const detail::ThreadCountScope scope(2);
    two_threads = drawn(5, {.dtype = DType::f64});
  }
  const detail::ThreadCountScope scope(1);
  const Tensor x = drawn(5, {.dtype = DType::f64});
  CHECK(bitwise_equal(x, two_threads));
  CHECK(bitwise_equal(drawn(5, {}), x.to(DType::f32)));
  CHECK_FALSE(bitwise_equal(drawn(6, {.dtype = DType::f64}), x));
  CHECK(
      bitwise_equal(drawn(5, {.mean = 3.0, .std = 0.5}), drawn(5, {.mean = 3.0, .std = 0.5, .low = 2.0, .high = 4.0})));
  Generator generator(1);
  CHECK(trunc_normal({0, 4}, generator).numel() == 0);
  CHECK(trunc_normal({}, generator).rank() == 0);
}

TEST_CASE("trunc_normal: messages") {
  const auto text = [](const TruncNormalOptions& options) {
    return tests::error_text([&] {
      Generator generator(1);
      (void)trunc_normal({2}, generator, options);
    });
  };
  CHECK(text({.std = -1.0}) == "[trunc_normal] expected a finite mean and a finite std > 0, got mean 0 and std -1");
  CHECK(text({.std = 0.0}) == "[trunc_normal] expected a finite mean and a finite std > 0, got mean 0 and std 0");
  CHECK(text({.mean = kInfinity}) ==
        "[trunc_normal] expected a finite mean and a finite std > 0, got mean inf and std 1");
  CHECK(text({.low = 1.0, .high = -1.0}) == "[trunc_normal] expected low < high, got low 1 and high -1");
  CHECK(text({.low = 1.0, .high = 1.0}) == "[trunc_normal] expected low < high, got low 1 and high 1");
  CHECK(text({.low = std::nan("")}) == "[trunc_normal] expected low < high, got low nan and high 2");
  CHECK(text({.low = 50.0, .high = 60.0}) ==
        "[trunc_normal] expected bounds that a normal number reaches, got low 50 and high 60 for mean 0 and std 1");
  CHECK(text({.dtype = DType::i64}) == "[trunc_normal] expected a floating dtype (f32 or f64), got i64");
}

}  // namespace gradus

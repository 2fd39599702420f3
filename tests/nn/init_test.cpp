// SPDX-License-Identifier: MIT
#include <cmath>

#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

struct Spread {
  double largest = 0.0;
  double mean_square = 0.0;
};

Spread spread(const Tensor& x) {
  const Tensor values = x.to(DType::f64);
  Spread result;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double value = values.data<double>()[i];
    result.largest = std::max(result.largest, std::abs(value));
    result.mean_square += value * value / static_cast<double>(x.numel());
  }
  return result;
}

}  // namespace

TEST_CASE("xavier_uniform and kaiming_uniform have the spread of their papers") {
  const uint64_t seed = tests::seed(31);
  INFO("seed " << seed);
  Generator generator(seed);
  // The variance is bound^2 / 3. With 30,000 draws the mean square is within 2 % (6 standard deviations are 3 %).
  const Spread xavier = spread(xavier_uniform({100, 300}, generator, {.gain = 2.0}));
  CHECK(xavier.largest <= 2.0 * std::sqrt(6.0 / 400.0));
  CHECK(xavier.mean_square == Approx(4.0 * 2.0 / 400.0).epsilon(0.03));
  const Spread kaiming = spread(kaiming_uniform({100, 60, 5}, generator, {.dtype = DType::f64}));
  CHECK(kaiming.largest <= std::sqrt(3.0 / 300.0));
  CHECK(kaiming.mean_square == Approx(1.0 / 300.0).epsilon(0.03));
  CHECK_THROWS_WITH(xavier_uniform({3}, generator), "[xavier_uniform] expected a weight of rank 2 or more, got [3]");
  CHECK_THROWS_WITH(kaiming_uniform({3}, generator), "[kaiming_uniform] expected a weight of rank 2 or more, got [3]");
}

TEST_CASE("orthogonal gives orthonormal rows, or columns of a tall matrix, times the gain") {
  const uint64_t seed = tests::seed(32);
  INFO("seed " << seed);
  Generator generator(seed);
  const auto identity = [](int64_t n) {
    Tensor eye = zeros({n, n}, {.dtype = DType::f64});
    for (int64_t i = 0; i < n; ++i) eye.mutable_data_<double>()[i * (n + 1)] = 1.0;
    return eye;
  };
  // Measured over four seeds: at most 8.9e-16.
  const Tensor wide = orthogonal({20, 33}, generator, {.dtype = DType::f64});
  CHECK(largest_error(matmul(wide, wide.transpose(0, 1)).value(), identity(20)) < 1e-14);
  const Tensor tall = orthogonal({33, 20}, generator, {.gain = 1.0, .dtype = DType::f64});
  CHECK(largest_error(matmul(tall.transpose(0, 1), tall).value(), identity(20)) < 1e-14);
  CHECK(std::abs(spread(orthogonal({8, 8}, generator, {.gain = 3.0})).mean_square - 9.0 / 8.0) < 1e-5);
  CHECK_THROWS_WITH(orthogonal({3}, generator), "[orthogonal] expected a matrix, got [3]");
}

// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/rows/layer_norm.hpp>

#include <cmath>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/vector_tensors.hpp"

namespace gradus {
namespace {

constexpr int64_t kRows = 3;

struct Naive {
  std::vector<double> y, dx, dweight;
};

// The formulas of layer_norm.hpp in double.
template <class T>
Naive naive(bool centered, const std::vector<T>& x, const T* weight, const T* bias, const std::vector<T>& g, int64_t n,
            double eps) {
  Naive out{.y = {}, .dx = {}, .dweight = std::vector<double>(static_cast<size_t>(n))};
  const auto count = static_cast<double>(n);
  for (int64_t r = 0; r < kRows; ++r) {
    const T* row = x.data() + r * n;
    const T* cotangent = g.data() + r * n;
    double mean = 0, variance = 0, sum = 0, dot = 0;
    for (int64_t i = 0; i < n; ++i) mean += centered ? static_cast<double>(row[i]) / count : 0.0;
    for (int64_t i = 0; i < n; ++i) variance += std::pow(static_cast<double>(row[i]) - mean, 2) / count;
    const double rstd = 1 / std::sqrt(variance + eps);
    const auto z = [&](int64_t i) { return (static_cast<double>(row[i]) - mean) * rstd; };
    const auto w = [&](int64_t i) { return weight != nullptr ? static_cast<double>(weight[i]) : 1.0; };
    const auto h = [&](int64_t i) { return static_cast<double>(cotangent[i]) * w(i); };
    for (int64_t i = 0; i < n; ++i) {
      sum += centered ? h(i) : 0.0;
      dot += h(i) * z(i);
      out.dweight[static_cast<size_t>(i)] += static_cast<double>(cotangent[i]) * z(i);
    }
    for (int64_t i = 0; i < n; ++i) {
      out.y.push_back(z(i) * w(i) + (bias != nullptr ? static_cast<double>(bias[i]) : 0.0));
      out.dx.push_back(rstd * (h(i) - sum / count - z(i) * dot / count));
    }
  }
  return out;
}

template <class T>
double largest_error(const std::vector<T>& got, const std::vector<double>& want) {
  REQUIRE(got.size() == want.size());
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - want[i]) / std::fmax(1.0, std::abs(want[i]));
    worst = std::isfinite(error) ? std::fmax(worst, error) : HUGE_VAL;
  }
  return worst;
}

TEMPLATE_TEST_CASE("layer norm and RMS norm equal their formulas at every size around a vector", "", float, double) {
  const uint64_t seed = tests::seed(27);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  const double allowed = sizeof(TestType) == 4 ? 4e-6 : 1e-14;
  for (int64_t n = 1; n < 70; n += n < 18 ? 1 : 5) {
    const auto x = random.uniform<TestType>(kRows * n, 2.0), g = random.uniform<TestType>(kRows * n);
    const auto weight = random.uniform<TestType>(n), bias = random.uniform<TestType>(n);
    for (const bool centered : {true, false}) {
      for (const bool affine : {true, false}) {
        INFO("n = " << n << (centered ? ", centered" : "") << (affine ? ", weight and bias" : ""));
        const TestType* w = affine ? weight.data() : nullptr;
        const TestType* b = affine ? bias.data() : nullptr;
        const Naive want = naive(centered, x, w, b, g, n, 0.1);
        const Tensor in = tests::tensor_of(x, {kRows, n}), cotangent = tests::tensor_of(g, {kRows, n});
        const Tensor weights = tests::tensor_of(weight, {n}), biases = tests::tensor_of(bias, {n});
        Tensor out = Tensor::empty(in.shape(), in.dtype()), gradient = Tensor::empty(in.shape(), in.dtype());
        Tensor mean = Tensor::empty({kRows}, in.dtype()), rstd = Tensor::empty({kRows}, in.dtype());
        Tensor of_weight = Tensor::empty({n}, in.dtype());
        Tensor* means = centered ? &mean : nullptr;
        kernels::layer_norm(in, affine ? &weights : nullptr, affine ? &biases : nullptr, 0.1, out, means, rstd);
        kernels::layer_norm_backward(in, affine ? &weights : nullptr, cotangent, means, rstd, 0.1, gradient,
                                     &of_weight);
        const auto y = tests::vector_of<TestType>(out), dx = tests::vector_of<TestType>(gradient);
        const auto dweight = tests::vector_of<TestType>(of_weight);
        CHECK(largest_error(y, want.y) < allowed);
        CHECK(largest_error(dx, want.dx) < allowed);
        CHECK(largest_error(dweight, want.dweight) < allowed);
      }
    }
  }
}

}  // namespace
}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <gradus/tensor/kernels/reduce/row_kernels.hpp>
#include <gradus/tensor/kernels/rows/softmax.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/vector_tensors.hpp"

namespace gradus {
namespace {

using tests::tensor_of;
using tests::vector_of;
using Mask = std::vector<uint8_t>;

const int64_t kSizes[] = {0, 1, 3, 7, 15, 16, 17, 33, 100};
constexpr int64_t kRows = 5;

template <class T>
constexpr T kInf = std::numeric_limits<T>::infinity();
template <class T>
constexpr T kNan = std::numeric_limits<T>::quiet_NaN();

/// Eight units in the last place of the largest intermediate; measured: at most 2 of them in any test here.
template <class T>
double tolerance(double magnitude) {
  return 8 * static_cast<double>(std::numeric_limits<T>::epsilon()) * magnitude;
}

template <class T>
size_t count_outside(const std::vector<T>& got, const std::vector<double>& want, double bound) {
  size_t outside = got.size() == want.size() ? 0 : 1;
  for (size_t i = 0; i < got.size() && i < want.size(); ++i) {
    outside += std::fabs(static_cast<double>(got[i]) - want[i]) <= bound ? 0u : 1u;
  }
  return outside;
}

template <class T>
std::vector<double> naive_softmax(const std::vector<T>& x, int64_t n, const Mask* keep = nullptr) {
  std::vector<double> y(x.size(), 0.0);
  for (size_t begin = 0; begin < x.size(); begin += static_cast<size_t>(n)) {
    double largest = -kInf<double>, sum = 0;
    for (size_t i = begin; i < begin + static_cast<size_t>(n); ++i) {
      if (keep == nullptr || (*keep)[i] != 0) largest = std::fmax(largest, static_cast<double>(x[i]));
    }
    for (size_t i = begin; i < begin + static_cast<size_t>(n); ++i) {
      if (keep == nullptr || (*keep)[i] != 0) sum += y[i] = std::exp(static_cast<double>(x[i]) - largest);
    }
    for (size_t i = begin; i < begin + static_cast<size_t>(n); ++i) y[i] = y[i] == 0 ? 0 : y[i] / sum;
  }
  return y;
}

template <class T>
double naive_lse(const std::vector<T>& x, int64_t row, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(x[static_cast<size_t>(row * n + i)]));
  return std::log(sum);
}

Tensor mask_of(const Mask& keep, const Shape& shape) {
  Tensor out = Tensor::empty(shape, DType::boolean);
  std::copy(keep.begin(), keep.end(), static_cast<uint8_t*>(out.raw_data()));
  return out;
}

// All results start as 7: whatever is not written shows.
template <class T>
std::vector<T> softmax(const std::vector<T>& x, int64_t n, const Tensor* keep = nullptr) {
  const int64_t rows = n == 0 ? kRows : static_cast<int64_t>(x.size()) / n;
  Tensor y = tensor_of(std::vector<T>(x.size(), T{7}), {rows, n});
  kernels::softmax(tensor_of(x, {rows, n}), keep, y);
  return vector_of<T>(y);
}

template <class T>
std::vector<T> softmax_backward(const std::vector<T>& y, const std::vector<T>& g, int64_t n,
                                const Tensor* keep = nullptr) {
  Tensor dx = tensor_of(std::vector<T>(y.size(), T{7}), {kRows, n});
  kernels::softmax_backward(tensor_of(y, {kRows, n}), tensor_of(g, {kRows, n}), keep, dx);
  return vector_of<T>(dx);
}

Mask random_mask(tests::RandomNumbers& random, int64_t n) {
  Mask keep;
  for (int64_t i = 0; i < kRows * n; ++i) keep.push_back(static_cast<uint8_t>(random.integer(0, 2)));
  for (int64_t i = 0; i < n; ++i) keep[static_cast<size_t>(n + i)] = 0;  // row 1 is blocked as a whole
  return keep;
}

TEMPLATE_TEST_CASE("softmax and its derivative equal the naive rows, in place too", "", float, double) {
  const uint64_t seed = tests::seed(21);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t n : kSizes) {
    const auto x = random.uniform<TestType>(kRows * n, 5.0), g = random.uniform<TestType>(kRows * n);
    const auto y = softmax(x, n), dx = softmax_backward(y, g, n);
    Tensor in_place = tensor_of(x, {kRows, n});
    kernels::softmax(in_place, nullptr, in_place);
    std::vector<double> want_dx(x.size());
    for (int64_t r = 0; r < kRows; ++r) {
      double dot = 0;
      for (int64_t i = r * n; i < (r + 1) * n; ++i) {
        dot += static_cast<double>(y[static_cast<size_t>(i)]) * static_cast<double>(g[static_cast<size_t>(i)]);
      }
      for (int64_t i = r * n; i < (r + 1) * n; ++i) {
        const auto k = static_cast<size_t>(i);
        want_dx[k] = static_cast<double>(y[k]) * (static_cast<double>(g[k]) - dot);
      }
    }
    INFO("n = " << n);
    CHECK(count_outside(y, naive_softmax(x, n), tolerance<TestType>(1)) == 0);
    CHECK(vector_of<TestType>(in_place) == y);
    CHECK(count_outside(dx, want_dx, tolerance<TestType>(1)) == 0);
  }
}

TEMPLATE_TEST_CASE("masked softmax is the softmax of the kept positions and exactly 0 elsewhere", "", float, double) {
  const uint64_t seed = tests::seed(22);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t n : kSizes) {
    auto x = random.uniform<TestType>(kRows * n, 5.0), g = random.uniform<TestType>(kRows * n);
    const Mask keep = random_mask(random, n);
    const Tensor mask = mask_of(keep, {kRows, n});
    const auto run = [&](std::vector<TestType>& y, std::vector<TestType>& dx) {
      y = softmax(x, n, &mask);
      dx = softmax_backward(y, g, n, &mask);
    };
    std::vector<TestType> y, dx, y_again, dx_again;
    run(y, dx);
    const std::vector<double> want = naive_softmax(x, n, &keep);
    for (size_t i = 0; i < x.size(); ++i) {
      // The content of blocked positions, NaN and infinities included, may change no bit.
      if (keep[i] == 0) x[i] = i % 2 == 0 ? kNan<TestType> : kInf<TestType>;
      if (keep[i] == 0) g[i] = i % 2 == 0 ? -kInf<TestType> : kNan<TestType>;
    }
    run(y_again, dx_again);
    size_t not_zero = 0;
    for (size_t i = 0; i < x.size(); ++i) not_zero += keep[i] == 0 && (y[i] != 0 || dx[i] != 0) ? 1u : 0u;
    INFO("n = " << n);
    CHECK(not_zero == 0);
    CHECK(count_outside(y, want, tolerance<TestType>(1)) == 0);
    CHECK(y_again == y);
    CHECK(dx_again == dx);
  }
}

TEMPLATE_TEST_CASE("one mask may serve all rows and a mask that keeps all changes nothing", "", float, double) {
  const uint64_t seed = tests::seed(23);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  const int64_t n = 19;
  const auto x = random.uniform<TestType>(kRows * n, 5.0), g = random.uniform<TestType>(kRows * n);
  const Tensor keep = mask_of(Mask(static_cast<size_t>(n), 1), {1, n}).expand({kRows, n});
  const auto plain = softmax(x, n);
  CHECK(softmax(x, n, &keep) == plain);
  CHECK(softmax_backward(plain, g, n, &keep) == softmax_backward(plain, g, n));
}

TEMPLATE_TEST_CASE("softmax treats infinities and NaN as its formula does", "", float, double) {
  const auto one_row = [](const std::vector<TestType>& x) { return softmax(x, static_cast<int64_t>(x.size())); };
  CHECK(one_row({-kInf<TestType>, 0, -kInf<TestType>}) == std::vector<TestType>{0, 1, 0});
  for (const TestType v : one_row({-kInf<TestType>, -kInf<TestType>})) CHECK(std::isnan(v));
  for (const TestType v : one_row({1, kNan<TestType>, 1})) CHECK(std::isnan(v));
  CHECK(one_row({30000, 30000}) == std::vector<TestType>{TestType{0.5}, TestType{0.5}});

  // A kept row of -infinity is NaN where kept, and still exactly 0 where blocked.
  const Tensor keep = mask_of({1, 0, 1}, {1, 3});
  const auto y = softmax<TestType>({-kInf<TestType>, 3, -kInf<TestType>}, 3, &keep);
  CHECK((std::isnan(y[0]) && y[1] == 0 && std::isnan(y[2])));
}

TEMPLATE_TEST_CASE("log_softmax, its derivative and logsumexp equal the naive rows", "", float, double) {
  const uint64_t seed = tests::seed(24);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t n : kSizes) {
    const auto x = random.uniform<TestType>(kRows * n, 5.0), g = random.uniform<TestType>(kRows * n);
    const Tensor in = tensor_of(x, {kRows, n});
    Tensor out = Tensor::empty(in.shape(), in.dtype()), gradient = Tensor::empty(in.shape(), in.dtype());
    kernels::log_softmax(in, out);
    kernels::log_softmax_backward(out, tensor_of(g, in.shape()), gradient);
    const auto y = vector_of<TestType>(out), dx = vector_of<TestType>(gradient);
    std::vector<TestType> lse(kRows);
    kernels::logsumexp_rows(x.data(), lse.data(), kRows, n);
    std::vector<double> want_y, want_dx, want_lse;
    double largest_sum = 1;
    for (int64_t r = 0; r < kRows; ++r) {
      want_lse.push_back(naive_lse(x, r, n));
      double sum = 0;
      for (int64_t i = r * n; i < (r + 1) * n; ++i) sum += static_cast<double>(g[static_cast<size_t>(i)]);
      largest_sum = std::fmax(largest_sum, std::fabs(sum));
      for (int64_t i = r * n; i < (r + 1) * n; ++i) {
        const auto k = static_cast<size_t>(i);
        want_y.push_back(static_cast<double>(x[k]) - want_lse.back());
        want_dx.push_back(static_cast<double>(g[k]) - std::exp(want_y.back()) * sum);
      }
    }
    INFO("n = " << n);
    CHECK(count_outside(y, want_y, tolerance<TestType>(10)) == 0);
    CHECK(count_outside(dx, want_dx, tolerance<TestType>(10 * largest_sum)) == 0);
    if (n > 0) CHECK(count_outside(lse, want_lse, tolerance<TestType>(10)) == 0);
    if (n == 0) CHECK(lse == std::vector<TestType>(kRows, -kInf<TestType>));
  }
}

TEMPLATE_TEST_CASE("logsumexp keeps the rules for infinities and does not overflow", "", float, double) {
  const auto lse = [](const std::vector<TestType>& x) {
    TestType y = 0;
    kernels::logsumexp_rows(x.data(), &y, 1, static_cast<int64_t>(x.size()));
    return y;
  };
  CHECK(lse({-kInf<TestType>, -kInf<TestType>}) == -kInf<TestType>);
  CHECK(lse({-kInf<TestType>, 2}) == 2);
  CHECK(lse({kInf<TestType>, 2}) == kInf<TestType>);
  CHECK(std::isnan(lse({kNan<TestType>, kInf<TestType>})));
  CHECK(lse({10000, -10000}) == 10000);
  CHECK(lse({-10000, -20000}) == -10000);
}

TEMPLATE_TEST_CASE("cross-entropy and its derivative equal the naive rows; ignored rows are exactly 0", "", float,
                   double) {
  const uint64_t seed = tests::seed(25);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  constexpr int64_t kIgnored = -100;
  for (const int64_t n : {int64_t{1}, int64_t{2}, int64_t{10}, int64_t{33}}) {
    const auto x = random.uniform<TestType>(kRows * n, 5.0), g = random.uniform<TestType>(kRows);
    std::vector<int64_t> target;
    for (int64_t r = 0; r < kRows; ++r) target.push_back(r == 2 ? kIgnored : random.integer(0, n - 1));
    for (const int64_t g_stride : {int64_t{0}, int64_t{1}}) {
      const Tensor in = tensor_of(x, {kRows, n}), classes = tensor_of(target, {kRows});
      const Tensor all = tensor_of(g, {kRows}), cotangent = g_stride == 0 ? all.slice(0, 0, 1).expand({kRows}) : all;
      Tensor losses = Tensor::empty({kRows}, in.dtype()), lse = Tensor::empty({kRows, 2}, in.dtype());
      Tensor gradient = Tensor::empty(in.shape(), in.dtype());
      kernels::cross_entropy(in, classes, {kIgnored, 0.0}, losses, lse);
      kernels::cross_entropy_backward(in, classes, {kIgnored, 0.0}, cotangent, lse, gradient);
      const auto loss = vector_of<TestType>(losses), dx = vector_of<TestType>(gradient);
      const std::vector<double> p = naive_softmax(x, n);
      std::vector<double> want_loss, want_dx;
      for (int64_t r = 0; r < kRows; ++r) {
        const int64_t t = target[static_cast<size_t>(r)];
        const bool counted = t != kIgnored;
        const double weight = static_cast<double>(g[static_cast<size_t>(r * g_stride)]);
        want_loss.push_back(counted ? naive_lse(x, r, n) - static_cast<double>(x[static_cast<size_t>(r * n + t)]) : 0);
        for (int64_t i = 0; i < n; ++i) {
          const double one_hot = i == t ? 1 : 0;
          want_dx.push_back(counted ? (p[static_cast<size_t>(r * n + i)] - one_hot) * weight : 0);
        }
      }
      INFO("n = " << n << ", g_stride = " << g_stride);
      CHECK(count_outside(loss, want_loss, tolerance<TestType>(10)) == 0);
      CHECK(count_outside(dx, want_dx, tolerance<TestType>(10)) == 0);
      CHECK(loss[2] == 0);
      for (int64_t i = 0; i < n; ++i) CHECK(dx[static_cast<size_t>(2 * n + i)] == 0);
    }
  }
}

TEST_CASE("cross-entropy of an all but certain target keeps its relative accuracy") {
  // The loss is log(1 + e^-12) = 6.1442e-6. lse - x would be 0: floats near 12 000 are 0.00098 apart. What is left is
  // the rounding of the sum 1 + e^-12, half of 1.2e-7: 1 %.
  const Tensor x = tensor_of(std::vector<float>{12000.0f, 11988.0f}, {1, 2});
  Tensor loss = Tensor::empty({1}, DType::f32), lse = Tensor::empty({1, 2}, DType::f32);
  kernels::cross_entropy(x, tensor_of(std::vector<int64_t>{0}, {1}), {-1, 0.0}, loss, lse);
  CHECK(vector_of<float>(loss)[0] == Approx(std::log1p(std::exp(-12.0))).epsilon(0.011));
}

}  // namespace
}  // namespace gradus

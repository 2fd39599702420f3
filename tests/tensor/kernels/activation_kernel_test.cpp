// SPDX-License-Identifier: MIT
// Compares the kernels of activations with the plain formulas in long double.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <gradus/tensor/kernels/elementwise/activation.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus {
namespace {

using kernels::ActivationFn;
using Wide = long double;

const ActivationFn kAll[] = {ActivationFn::leaky_relu,  ActivationFn::elu,  ActivationFn::gelu,
                             ActivationFn::gelu_tanh,   ActivationFn::silu, ActivationFn::softplus,
                             ActivationFn::log_sigmoid, ActivationFn::clamp};
// Exact in f32, so that both types and the reference have the same parameters.
constexpr Wide kP = -0.75L;
constexpr Wide kQ = 1.5L;

Wide sigmoid(Wide x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
Wide phi(Wide x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0L)); }
Wide big_phi(Wide x) { return std::erfc(-x / std::sqrt(2.0L)) / 2; }
Wide tanh_scale() { return std::sqrt(2 / std::acos(-1.0L)); }
Wide tanh_gate(Wide x) { return sigmoid(2 * tanh_scale() * (x + 0.044715L * x * x * x)); }

Wide value(ActivationFn fn, Wide x) {
  switch (fn) {
    case ActivationFn::leaky_relu:
      return x > 0 ? x : kP * x;
    case ActivationFn::elu:
      return x > 0 ? x : kP * std::expm1(x);
    case ActivationFn::gelu:
      return x * big_phi(x);
    case ActivationFn::gelu_tanh:
      return x * tanh_gate(x);
    case ActivationFn::silu:
      return x * sigmoid(x);
    case ActivationFn::softplus:
      return std::fmax(x, 0.0L) + std::log1p(std::exp(-std::fabs(x)));
    case ActivationFn::log_sigmoid:
      return std::fmin(x, 0.0L) - std::log1p(std::exp(-std::fabs(x)));
    case ActivationFn::clamp:
      break;
  }
  return std::fmin(std::fmax(x, kP), kQ);
}

Wide derivative(ActivationFn fn, Wide x) {
  switch (fn) {
    case ActivationFn::leaky_relu:
      return x > 0 ? 1 : kP;
    case ActivationFn::elu:
      return x > 0 ? 1 : kP * std::exp(x);
    case ActivationFn::gelu:
      return big_phi(x) + x * phi(x);
    case ActivationFn::gelu_tanh: {
      const Wide s = tanh_gate(x);
      return s + x * s * (1 - s) * 2 * tanh_scale() * (1 + 3 * 0.044715L * x * x);
    }
    case ActivationFn::silu:
      return sigmoid(x) * (1 + x * sigmoid(-x));
    case ActivationFn::softplus:
      return sigmoid(x);
    case ActivationFn::log_sigmoid:
      return sigmoid(-x);
    case ActivationFn::clamp:
      break;
  }
  return kP <= x && x <= kQ ? 1 : 0;
}

template <class T>
std::vector<T> run(ActivationFn fn, const std::vector<T>& x) {
  std::vector<T> y(x.size());
  kernels::activation(fn, static_cast<T>(kP), static_cast<T>(kQ), x.data(), y.data(), static_cast<int64_t>(x.size()));
  return y;
}

template <class T>
std::vector<T> run_backward(ActivationFn fn, const std::vector<T>& x, int64_t x_stride, const std::vector<T>& g,
                            int64_t g_stride, int64_t n) {
  std::vector<T> y(static_cast<size_t>(n));
  kernels::activation_backward(fn, static_cast<T>(kP), static_cast<T>(kQ), x.data(), x_stride, g.data(), g_stride,
                               y.data(), n);
  return y;
}

template <class T>
std::vector<T> points(uint64_t seed) {
  std::vector<T> x;
  for (int i = -4000; i <= 4000; ++i) x.push_back(static_cast<T>(i * 0.005));
  tests::RandomNumbers random(seed);
  for (const double bound : {1e-6, 1.0, 50.0, 1000.0}) {
    const std::vector<T> more = random.uniform<T>(2000, bound);
    x.insert(x.end(), more.begin(), more.end());
  }
  return x;
}

}  // namespace

TEMPLATE_TEST_CASE("activations and their derivatives are those of the formulas", "", float, double) {
  const uint64_t seed = tests::seed(31);
  INFO("seed " << seed);
  const std::vector<TestType> x = points<TestType>(seed);
  const std::vector<TestType> one{1};
  for (const ActivationFn fn : kAll) {
    const std::vector<TestType> y = run(fn, x);
    const std::vector<TestType> slope = run_backward(fn, x, 1, one, 0, static_cast<int64_t>(x.size()));
    Wide worst = 0;
    Wide worst_slope = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const Wide want = value(fn, x[i]);
      worst = std::fmax(worst, std::fabs(y[i] - want) / std::fmax(1.0L, std::fabs(want)));
      worst_slope = std::fmax(worst_slope, std::fabs(slope[i] - derivative(fn, x[i])));
    }
    const Wide eps = std::numeric_limits<TestType>::epsilon();
    INFO("function " << static_cast<int>(fn) << " on " << simd_target() << ": " << static_cast<double>(worst / eps)
                     << " eps, derivative " << static_cast<double>(worst_slope / eps) << " eps");
    CHECK(worst <= 3 * eps);
    CHECK(worst_slope <= 6 * eps);
  }
}

TEMPLATE_TEST_CASE("gelu keeps digits of small results, until they leave the numbers of the type", "", float, double) {
  const auto eps = static_cast<double>(std::numeric_limits<TestType>::epsilon());
  const auto error = [](TestType x) {
    const auto want = static_cast<double>(value(ActivationFn::gelu, x));
    return std::fabs(static_cast<double>(run<TestType>(ActivationFn::gelu, {x})[0]) / want - 1);
  };
  // The rounding of x / sqrt 2 alone costs x^2 eps / 2. Measured in eps: 1.4, 4.1 (f32), 19 (f64).
  CHECK(error(TestType{-2}) <= 8 * eps);
  CHECK(error(TestType{-3}) <= 16 * eps);
  CHECK(error(TestType{-4}) <= 64 * eps);
  CHECK(error(TestType{-8}) <= 1e-3);
  CHECK(run<TestType>(ActivationFn::gelu, {TestType{-41}})[0] == 0);
}

TEMPLATE_TEST_CASE("smooth activations keep the relative accuracy of small results", "", float, double) {
  const double allowed = 6 * static_cast<double>(std::numeric_limits<TestType>::epsilon());
  for (const ActivationFn fn : {ActivationFn::silu, ActivationFn::softplus}) {
    for (const TestType x : {TestType{-10}, TestType{-40}, TestType{-80}}) {
      const auto want = static_cast<double>(value(fn, x));
      INFO("function " << static_cast<int>(fn) << " of " << x);
      CHECK(static_cast<double>(run<TestType>(fn, {x})[0]) == Approx(want).epsilon(allowed));
    }
  }
}

TEMPLATE_TEST_CASE("activations reach their limits at infinity and pass NaN", "", float, double) {
  using T = TestType;
  const T inf = std::numeric_limits<T>::infinity();
  const T largest = std::numeric_limits<T>::max();
  for (const ActivationFn fn : kAll) {
    const std::vector<T> y = run<T>(fn, {-inf, -largest, largest, inf, std::numeric_limits<T>::quiet_NaN()});
    const std::vector<T> d = run_backward<T>(fn, {-inf, -largest, largest, inf}, 1, {1}, 0, 4);
    INFO("function " << static_cast<int>(fn));
    CHECK(y[1] == static_cast<T>(value(fn, -largest)));
    CHECK(y[2] == static_cast<T>(value(fn, largest)));
    const bool bounded = fn == ActivationFn::log_sigmoid || fn == ActivationFn::clamp;
    CHECK(y[3] == (fn == ActivationFn::clamp ? static_cast<T>(kQ) : bounded ? T{0} : inf));
    CHECK(std::isnan(y[4]));
    CHECK((std::isfinite(d[0]) && std::isfinite(d[3])));
    CHECK(d[0] == d[1]);
    CHECK(d[2] == d[3]);
  }
}

TEMPLATE_TEST_CASE("an activation's result depends on the element only", "", float, double) {
  const uint64_t seed = tests::seed(32);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t n : {0, 1, 7, 8, 17, 33}) {
    const std::vector<TestType> x = random.uniform<TestType>(n + 1, 3.0);
    const std::vector<TestType> g = random.uniform<TestType>(n + 1, 3.0);
    for (const ActivationFn fn : kAll) {
      const std::vector<TestType> y = run(fn, x);
      int wrong = 0;
      for (size_t i = 0; i < x.size(); ++i) wrong += run<TestType>(fn, {x[i]})[0] != y[i];
      for (int strides = 0; strides < 4; ++strides) {
        const int64_t sx = strides / 2, sg = strides % 2;
        const std::vector<TestType> d = run_backward(fn, x, sx, g, sg, n);
        for (int64_t i = 0; i < n; ++i) {
          const auto xi = static_cast<size_t>(i * sx), gi = static_cast<size_t>(i * sg);
          wrong += d[static_cast<size_t>(i)] != run_backward<TestType>(fn, {x[xi]}, 1, {g[gi]}, 1, 1)[0];
        }
      }
      INFO("function " << static_cast<int>(fn) << ", n = " << n);
      CHECK(wrong == 0);
    }
  }
}

TEMPLATE_TEST_CASE("lerp equals its formula for every size and stride, and both ends exactly", "", float, double) {
  const uint64_t seed = tests::seed(33);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  const double allowed = 8 * static_cast<double>(std::numeric_limits<TestType>::epsilon());
  for (const int64_t n : {0, 1, 7, 8, 17, 33}) {
    for (int strides = 0; strides < 8; ++strides) {
      const int64_t sa = strides / 4, sb = strides / 2 % 2, sw = strides % 2;
      const auto a = random.uniform<TestType>(n + 1), b = random.uniform<TestType>(n + 1);
      auto w = random.uniform<TestType>(n + 1, 2.0);
      if (n > 2) w[0] = 1, w[1] = 0;
      std::vector<TestType> y(static_cast<size_t>(n));
      kernels::lerp(a.data(), sa, b.data(), sb, w.data(), sw, y.data(), n);
      int wrong = 0;
      for (int64_t i = 0; i < n; ++i) {
        const TestType from = a[static_cast<size_t>(i * sa)], to = b[static_cast<size_t>(i * sb)];
        const TestType weight = w[static_cast<size_t>(i * sw)], got = y[static_cast<size_t>(i)];
        wrong += std::fabs(static_cast<double>(got) - (from + static_cast<double>(weight) * (to - from))) > allowed;
        wrong += (weight == 1 && got != to) || (weight == 0 && got != from);
      }
      INFO("n = " << n << ", strides " << sa << ", " << sb << ", " << sw);
      CHECK(wrong == 0);
    }
  }
}

}  // namespace gradus

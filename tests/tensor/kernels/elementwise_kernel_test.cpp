// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include <gradus/tensor/kernels/elementwise/elementwise.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus {
namespace {

using kernels::BinaryFn;
using kernels::CompareFn;
using kernels::UnaryFn;

// Below, at and above the lane counts of all instruction sets.
const int64_t kSizes[] = {0, 1, 3, 7, 8, 15, 16, 17, 33, 100};
const UnaryFn kUnary[] = {UnaryFn::neg,   UnaryFn::abs,        UnaryFn::sign,  UnaryFn::square,  UnaryFn::sqrt,
                          UnaryFn::rsqrt, UnaryFn::reciprocal, UnaryFn::exp,   UnaryFn::expm1,   UnaryFn::log,
                          UnaryFn::log1p, UnaryFn::tanh,       UnaryFn::relu,  UnaryFn::sigmoid, UnaryFn::sin,
                          UnaryFn::cos,   UnaryFn::erf,        UnaryFn::floor, UnaryFn::ceil,    UnaryFn::round};
const BinaryFn kBinary[] = {
    BinaryFn::add,          BinaryFn::sub,     BinaryFn::mul,           BinaryFn::div,
    BinaryFn::maximum,      BinaryFn::minimum, BinaryFn::tanh_backward, BinaryFn::sigmoid_backward,
    BinaryFn::relu_backward};
const CompareFn kCompare[] = {CompareFn::eq, CompareFn::ne, CompareFn::lt, CompareFn::le, CompareFn::gt, CompareFn::ge};

/// Numbers at an address that is aligned only for their type, with a guard element after them.
template <class T>
struct Misaligned {
  explicit Misaligned(const std::vector<T>& values) : storage(1, T{0}) {
    storage.insert(storage.end(), values.begin(), values.end());
    storage.push_back(kGuard);
  }
  T* data() { return storage.data() + 1; }
  bool guard_is_whole() const { return storage.back() == kGuard; }

  static constexpr T kGuard = static_cast<T>(77);
  std::vector<T> storage;
};

template <class T>
bool same_bits(T a, T b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

template <class T>
T naive(BinaryFn fn, T a, T b) {
  switch (fn) {
    case BinaryFn::add:
      return a + b;
    case BinaryFn::sub:
      return a - b;
    case BinaryFn::mul:
      return a * b;
    case BinaryFn::div:
      return a / b;
    case BinaryFn::maximum:
      return std::isnan(a) || a > b ? a : b;
    case BinaryFn::minimum:
      return std::isnan(a) || a < b ? a : b;
    case BinaryFn::tanh_backward:
      return std::fma(-a, a, T{1}) * b;
    case BinaryFn::sigmoid_backward:
      return b * (a * (1 - a));
    case BinaryFn::relu_backward:
      return a <= 0 ? T{0} : b;
  }
  return 0;
}

bool naive(CompareFn fn, double a, double b) {
  switch (fn) {
    case CompareFn::eq:
      return a == b;
    case CompareFn::ne:
      return a != b;
    case CompareFn::lt:
      return a < b;
    case CompareFn::le:
      return a <= b;
    case CompareFn::gt:
      return a > b;
    case CompareFn::ge:
      return a >= b;
  }
  return false;
}

/// Random numbers. Some of them repeat, so that comparisons get equal operands, and one is NaN.
template <class T>
std::vector<T> numbers(tests::RandomNumbers& random, int64_t n) {
  std::vector<T> values = random.uniform<T>(n, 3.0);
  for (size_t i = 0; i < values.size(); i += 2) values[i] = std::round(values[i]);
  if (values.size() > 5) values[5] = std::numeric_limits<T>::quiet_NaN();
  return values;
}

TEMPLATE_TEST_CASE("a unary result depends on the element only, whatever its position, alignment or array", "", float,
                   double) {
  const uint64_t seed = tests::seed(1);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t n : kSizes) {
    for (const UnaryFn fn : kUnary) {
      Misaligned<TestType> x(numbers<TestType>(random, n));
      Misaligned<TestType> y(std::vector<TestType>(static_cast<size_t>(n), TestType{0}));
      kernels::unary(fn, x.data(), y.data(), n);
      int64_t different = 0;
      for (int64_t i = 0; i < n; ++i) {
        TestType alone = 0;
        kernels::unary(fn, x.data() + i, &alone, 1);
        const bool both_nan = std::isnan(alone) && std::isnan(y.data()[i]);
        different += both_nan || same_bits(alone, y.data()[i]) ? 0 : 1;
      }
      kernels::unary(fn, x.data(), x.data(), n);
      for (int64_t i = 0; i < n; ++i) {
        const bool both_nan = std::isnan(x.data()[i]) && std::isnan(y.data()[i]);
        different += both_nan || same_bits(x.data()[i], y.data()[i]) ? 0 : 1;
      }
      INFO("function " << static_cast<int>(fn) << ", n = " << n);
      CHECK(different == 0);
      CHECK((x.guard_is_whole() && y.guard_is_whole()));
    }
  }
}

TEMPLATE_TEST_CASE("simple unary functions equal their formulas", "", float, double) {
  const uint64_t seed = tests::seed(2);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  const std::vector<TestType> x = random.uniform<TestType>(100, 2.0);
  const auto apply = [&x](UnaryFn fn) {
    std::vector<TestType> y(x.size());
    kernels::unary(fn, x.data(), y.data(), static_cast<int64_t>(x.size()));
    return y;
  };
  const auto neg = apply(UnaryFn::neg), abs = apply(UnaryFn::abs), sign = apply(UnaryFn::sign);
  const auto square = apply(UnaryFn::square), root = apply(UnaryFn::sqrt), rsqrt = apply(UnaryFn::rsqrt);
  const auto reciprocal = apply(UnaryFn::reciprocal), relu = apply(UnaryFn::relu);
  int wrong = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const TestType v = x[i];
    wrong += neg[i] != -v || abs[i] != std::fabs(v) || sign[i] != (v > 0 ? 1 : -1) || square[i] != v * v;
    wrong += reciprocal[i] != 1 / v || relu[i] != (v > 0 ? v : 0);
    wrong += v >= 0 ? root[i] != std::sqrt(v) || rsqrt[i] != 1 / std::sqrt(v) : !std::isnan(root[i]);
  }
  CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("rounding equals libm's, sign of zero included", "", float, double) {
  using L = std::numeric_limits<TestType>;
  std::vector<TestType> x{L::denorm_min(), L::max(), L::infinity(), 1 / L::epsilon(),
                          std::nextafter(TestType{0.5}, TestType{0})};
  for (int i = 0; i <= 64; ++i) x.push_back(static_cast<TestType>(i) / 8);
  for (const TestType v : {TestType{1}, TestType{2}}) x.push_back(v / (4 * L::epsilon()) + TestType{0.5});
  const size_t count = x.size();
  for (size_t i = 0; i < count; ++i) x.push_back(-x[i]);
  std::vector<TestType> y(x.size());
  const auto wrong = [&](UnaryFn fn, TestType (*libm)(TestType)) {
    kernels::unary(fn, x.data(), y.data(), static_cast<int64_t>(x.size()));
    int bad = 0;
    for (size_t i = 0; i < x.size(); ++i) bad += same_bits(y[i], libm(x[i])) ? 0 : 1;
    return bad;
  };
  CHECK(wrong(UnaryFn::floor, [](TestType v) { return std::floor(v); }) == 0);
  CHECK(wrong(UnaryFn::ceil, [](TestType v) { return std::ceil(v); }) == 0);
  CHECK(wrong(UnaryFn::round, [](TestType v) { return std::nearbyint(v); }) == 0);
}

TEMPLATE_TEST_CASE("binary kernels equal the naive loop for every size, stride and alignment", "", float, double) {
  const uint64_t seed = tests::seed(3);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  // tanh_backward has an FMA on some instruction sets. 1 - a^2 for |a| <= 3 is then off by at most 1 ulp of 9, times
  // |b| <= 3. All others are exact.
  const double tolerance = 27 * static_cast<double>(std::numeric_limits<TestType>::epsilon());
  for (const int64_t n : kSizes) {
    for (const BinaryFn fn : kBinary) {
      for (int strides = 0; strides < 4; ++strides) {
        const int64_t sa = strides / 2, sb = strides % 2;
        Misaligned<TestType> a(numbers<TestType>(random, n + 1));
        Misaligned<TestType> b(numbers<TestType>(random, n + 1));
        Misaligned<TestType> y(std::vector<TestType>(static_cast<size_t>(n)));
        kernels::binary(fn, a.data(), sa, b.data(), sb, y.data(), n);
        int64_t wrong = 0;
        for (int64_t i = 0; i < n; ++i) {
          const TestType want = naive(fn, a.data()[i * sa], b.data()[i * sb]);
          const TestType got = y.data()[i];
          const double bound = fn == BinaryFn::tanh_backward ? tolerance : 0;
          const bool close = got == want || std::fabs(static_cast<double>(got - want)) <= bound;
          wrong += close || (std::isnan(got) && std::isnan(want)) ? 0 : 1;
        }
        INFO("function " << static_cast<int>(fn) << ", n = " << n << ", strides " << sa << ", " << sb);
        CHECK(wrong == 0);
        CHECK(y.guard_is_whole());
      }
    }
  }
}

TEMPLATE_TEST_CASE("maximum and minimum return NaN when either side is NaN", "", float, double) {
  const TestType nan = std::numeric_limits<TestType>::quiet_NaN();
  for (const BinaryFn fn : {BinaryFn::maximum, BinaryFn::minimum}) {
    const std::vector<TestType> a{nan, 1, nan}, b{1, nan, nan};
    std::vector<TestType> y(3);
    kernels::binary(fn, a.data(), 1, b.data(), 1, y.data(), 3);
    CHECK((std::isnan(y[0]) && std::isnan(y[1]) && std::isnan(y[2])));
  }
}

TEMPLATE_TEST_CASE("the derivative of relu is 0 at 0", "", float, double) {
  const std::vector<TestType> x{-1, 0, static_cast<TestType>(-0.0), 1};
  const std::vector<TestType> g{5, 5, 5, 5};
  std::vector<TestType> y(4);
  kernels::binary(BinaryFn::relu_backward, x.data(), 1, g.data(), 1, y.data(), 4);
  CHECK(y == std::vector<TestType>{0, 0, 0, 5});
}

TEMPLATE_TEST_CASE("in-place sums and scaling equal the naive loop", "", float, double) {
  const uint64_t seed = tests::seed(4);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  const TestType alpha = static_cast<TestType>(0.7);
  // One rounding more or less than the naive a * x + y, whose parts are at most 3: 2 ulp of 2.1.
  const TestType tolerance = 4 * std::numeric_limits<TestType>::epsilon();
  for (const int64_t n : kSizes) {
    const std::vector<TestType> x = random.uniform<TestType>(n, 3.0);
    const std::vector<TestType> start = random.uniform<TestType>(n, 1.0);
    Misaligned<TestType> sum(start), fused(start), scaled(start);
    kernels::add_inplace(x.data(), sum.data(), n);
    kernels::axpy(alpha, x.data(), fused.data(), n);
    kernels::scale(alpha, x.data(), scaled.data(), n);
    int wrong = 0;
    for (int64_t i = 0; i < n; ++i) {
      const auto k = static_cast<size_t>(i);
      wrong += sum.data()[i] != start[k] + x[k] || scaled.data()[i] != alpha * x[k];
      wrong += std::fabs(fused.data()[i] - (start[k] + alpha * x[k])) > tolerance;
    }
    INFO("n = " << n);
    CHECK(wrong == 0);
    CHECK((sum.guard_is_whole() && fused.guard_is_whole() && scaled.guard_is_whole()));
  }
}

TEMPLATE_TEST_CASE("comparisons write 0 or 1 as the naive loop does, NaN included", "", float, double) {
  const uint64_t seed = tests::seed(5);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t n : kSizes) {
    for (const CompareFn fn : kCompare) {
      for (int strides = 0; strides < 4; ++strides) {
        const int64_t sa = strides / 2, sb = strides % 2;
        Misaligned<TestType> a(numbers<TestType>(random, n + 1));
        Misaligned<TestType> b(numbers<TestType>(random, n + 1));
        Misaligned<uint8_t> y(std::vector<uint8_t>(static_cast<size_t>(n), uint8_t{9}));
        kernels::compare(fn, a.data(), sa, b.data(), sb, y.data(), n);
        int wrong = 0;
        for (int64_t i = 0; i < n; ++i) wrong += y.data()[i] != naive(fn, a.data()[i * sa], b.data()[i * sb]);
        INFO("function " << static_cast<int>(fn) << ", n = " << n << ", strides " << sa << ", " << sb);
        CHECK(wrong == 0);
        CHECK(y.guard_is_whole());
      }
    }
  }
}

TEMPLATE_TEST_CASE("select takes the first operand where the byte is not 0", "", float, double) {
  const uint64_t seed = tests::seed(6);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t n : kSizes) {
    for (int strides = 0; strides < 8; ++strides) {
      const int64_t sk = strides / 4, sa = strides / 2 % 2, sb = strides % 2;
      Misaligned<TestType> a(random.uniform<TestType>(n + 1)), b(random.uniform<TestType>(n + 1));
      Misaligned<TestType> y(std::vector<TestType>(static_cast<size_t>(n)));
      std::vector<uint8_t> keep;
      for (int64_t i = 0; i <= n; ++i) keep.push_back(static_cast<uint8_t>(random.integer(0, 2) * 100));
      kernels::where(keep.data(), sk, a.data(), sa, b.data(), sb, y.data(), n);
      int wrong = 0;
      for (int64_t i = 0; i < n; ++i) {
        const bool first = keep[static_cast<size_t>(i * sk)] != 0;
        wrong += y.data()[i] != (first ? a.data()[i * sa] : b.data()[i * sb]);
      }
      INFO("n = " << n << ", strides " << sk << ", " << sa << ", " << sb);
      CHECK(wrong == 0);
      CHECK(y.guard_is_whole());
    }
  }
}

}  // namespace
}  // namespace gradus

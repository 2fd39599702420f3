// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <gradus/tensor/kernels/reduce/reduce.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus {
namespace {

using kernels::ReduceFn;

const int64_t kSizes[] = {0, 1, 3, 7, 8, 15, 16, 17, 33, 64, 100, 1000};

template <class T>
constexpr T kInf = std::numeric_limits<T>::infinity();
template <class T>
constexpr T kNan = std::numeric_limits<T>::quiet_NaN();

/// The bound that reduce.hpp states, for runs and for columns.
template <class T>
double sum_bound(double sum_of_magnitudes, int64_t n, int64_t stride = 1) {
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
  const double count = static_cast<double>(n);
  return (stride == 1 ? 140 + count / 500 : 130 + count / 128) * eps * sum_of_magnitudes;
}

struct Sums {
  double plain = 0, magnitudes = 0, squares = 0;
};

template <class T>
Sums naive_sums(const T* x, int64_t n, int64_t stride) {
  Sums sums;
  for (int64_t i = 0; i < n; ++i) {
    const double v = static_cast<double>(x[i * stride]);
    sums.plain += v;
    sums.magnitudes += std::fabs(v);
    sums.squares += v * v;
  }
  return sums;
}

template <class T>
T naive_extreme(ReduceFn fn, const T* x, int64_t n, int64_t stride) {
  T best = fn == ReduceFn::max ? -kInf<T> : kInf<T>;
  for (int64_t i = 0; i < n; ++i) {
    const T v = x[i * stride];
    if (std::isnan(v)) return v;
    if (fn == ReduceFn::max ? v > best : v < best) best = v;
  }
  return best;
}

TEMPLATE_TEST_CASE("the sum of a run is within the stated error, at any size and alignment", "", float, double) {
  const uint64_t seed = tests::seed(11);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t n : kSizes) {
    const std::vector<TestType> storage = random.uniform<TestType>(n + 1, 10.0);
    const TestType* x = storage.data() + 1;
    const Sums want = naive_sums(x, n, 1);
    INFO("n = " << n);
    CHECK(std::fabs(static_cast<double>(kernels::sum(x, n)) - want.plain) <= sum_bound<TestType>(want.magnitudes, n));
    // The squares of floats are exact in double. Both sides then add with 2^-53 for each addition.
    CHECK(kernels::sum_squares(x, n) == Approx(want.squares).epsilon(1e-12));
  }
}

TEST_CASE("a long f32 sum does not drift as one accumulator would") {
  // Adding 0.1f a million times, one after the other, is off by 1 %. The bound of the kernel is 0.013 %.
  const int64_t n = 1000000;
  const std::vector<float> x(static_cast<size_t>(n), 0.1f);
  const double want = static_cast<double>(0.1f) * static_cast<double>(n);
  CHECK(std::fabs(static_cast<double>(kernels::sum(x.data(), n)) - want) <= sum_bound<float>(want, n));
  std::vector<float> columns(2);
  kernels::reduce_cols(ReduceFn::sum, x.data(), n / 2, 2, 2, columns.data());
  CHECK(std::fabs(static_cast<double>(columns[1]) - want / 2) <= sum_bound<float>(want / 2, n / 2, 2));
}

TEMPLATE_TEST_CASE("extremes of a run equal the naive loop and are the neutral element of an empty one", "", float,
                   double) {
  const uint64_t seed = tests::seed(12);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t n : kSizes) {
    for (const double shift : {-20.0, 0.0, 20.0}) {  // all negative, all positive: shows a leaked neutral element
      std::vector<TestType> x = random.uniform<TestType>(n, 10.0);
      for (TestType& v : x) v += static_cast<TestType>(shift);
      INFO("n = " << n << ", shift " << shift);
      CHECK(kernels::max(x.data(), n) == naive_extreme(ReduceFn::max, x.data(), n, 1));
      CHECK(kernels::min(x.data(), n) == naive_extreme(ReduceFn::min, x.data(), n, 1));
    }
  }
}

TEMPLATE_TEST_CASE("one NaN anywhere makes both extremes NaN", "", float, double) {
  for (const int64_t n : {1, 5, 16, 17, 40, 100}) {
    int missed = 0;
    for (int64_t at = 0; at < n; ++at) {
      std::vector<TestType> x(static_cast<size_t>(n), TestType{1});
      x[static_cast<size_t>(at)] = kNan<TestType>;
      missed += std::isnan(kernels::max(x.data(), n)) && std::isnan(kernels::min(x.data(), n)) ? 0 : 1;
    }
    INFO("n = " << n);
    CHECK(missed == 0);
  }
}

TEMPLATE_TEST_CASE("infinities of both signs, or sums beyond the largest number, are no NaN to the extremes", "", float,
                   double) {
  const TestType infinity = std::numeric_limits<TestType>::infinity(), large = std::numeric_limits<TestType>::max();
  for (const int64_t n : {2, 5, 16, 17, 40, 100}) {
    for (const TestType value : {infinity, large}) {
      std::vector<TestType> x(static_cast<size_t>(n), TestType{1});
      for (size_t i = 0; i < x.size(); i += 2) x[i] = i % 4 == 0 ? value : -value;
      x.back() = -value;
      x.front() = value;
      INFO("n = " << n << ", value " << value);
      CHECK(kernels::max(x.data(), n) == value);
      CHECK(kernels::min(x.data(), n) == -value);
    }
  }
}

TEMPLATE_TEST_CASE("rows and columns reduce like one run at a time", "", float, double) {
  const uint64_t seed = tests::seed(13);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t rows : {0, 1, 3, 5, 300}) {
    for (const int64_t cols : {0, 1, 3, 7, 16, 17, 33, 64, 100, 131}) {
      std::vector<TestType> x = random.uniform<TestType>(rows * cols, 3.0);
      x.reserve(1);  // kernels get a valid address even for an empty tensor
      for (const ReduceFn fn : {ReduceFn::sum, ReduceFn::max, ReduceFn::min}) {
        std::vector<TestType> by_row(static_cast<size_t>(rows + 1), TestType{55});
        std::vector<TestType> by_col(static_cast<size_t>(cols + 1), TestType{55});
        kernels::reduce_rows(fn, x.data(), rows, cols, cols, by_row.data());
        kernels::reduce_cols(fn, x.data(), rows, cols, cols, by_col.data());
        int wrong = by_row.back() != 55 || by_col.back() != 55;
        const auto differs = [fn](TestType got, const TestType* run, int64_t n, int64_t stride) {
          if (fn != ReduceFn::sum) return got != naive_extreme(fn, run, n, stride);
          const Sums want = naive_sums(run, n, stride);
          return !(std::fabs(static_cast<double>(got) - want.plain) <= sum_bound<TestType>(want.magnitudes, n, stride));
        };
        for (int64_t r = 0; r < rows; ++r) {
          wrong += differs(by_row[static_cast<size_t>(r)], x.data() + r * cols, cols, 1);
        }
        for (int64_t c = 0; c < cols; ++c) wrong += differs(by_col[static_cast<size_t>(c)], x.data() + c, rows, cols);
        INFO("function " << static_cast<int>(fn) << ", x [" << rows << ", " << cols << "]");
        CHECK(wrong == 0);
      }
    }
  }
}

TEMPLATE_TEST_CASE("column extremes see NaN", "", float, double) {
  std::vector<TestType> x(3 * 70, TestType{1}), y(70);
  x[70 + 2] = kNan<TestType>;       // within a group of four vectors
  x[2 * 70 + 69] = kNan<TestType>;  // within the last, partial vector
  for (const ReduceFn fn : {ReduceFn::max, ReduceFn::min}) {
    kernels::reduce_cols(fn, x.data(), 3, 70, 70, y.data());
    CHECK((std::isnan(y[2]) && std::isnan(y[69]) && y[0] == 1 && y[68] == 1));
  }
}

TEMPLATE_TEST_CASE("extremes of many short rows see NaN", "", float, double) {
  const int64_t rows = 37, n = 3;
  std::vector<TestType> x(static_cast<size_t>(rows * n), TestType{1}), y(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; r += 5) x[static_cast<size_t>(r * n + r % n)] = kNan<TestType>;
  for (const ReduceFn fn : {ReduceFn::max, ReduceFn::min}) {
    kernels::reduce_rows(fn, x.data(), rows, n, n, y.data());
    int wrong = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const TestType got = y[static_cast<size_t>(r)];
      wrong += r % 5 == 0 ? !std::isnan(got) : got != 1;
    }
    CHECK(wrong == 0);
  }
}

TEMPLATE_TEST_CASE("products of rows and columns; rows and columns apart in memory", "", float, double) {
  const uint64_t seed = tests::seed(15);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t rows : {0, 1, 9, 40}) {
    for (const int64_t cols : {0, 1, 7, 17, 64, 131, 600}) {
      const int64_t pitch = cols + 5;
      std::vector<TestType> x = random.uniform<TestType>(rows * pitch, 1.5);
      x.reserve(1);
      std::vector<TestType> by_row(static_cast<size_t>(rows + 1), TestType{55});
      std::vector<TestType> by_col(static_cast<size_t>(cols + 1), TestType{55});
      kernels::reduce_rows(ReduceFn::prod, x.data(), rows, cols, pitch, by_row.data());
      kernels::reduce_cols(ReduceFn::prod, x.data(), rows, pitch, cols, by_col.data());
      const auto product = [&](int64_t start, int64_t n, int64_t step) {
        double out = 1.0;
        for (int64_t i = 0; i < n; ++i) out *= static_cast<double>(x[static_cast<size_t>(start + i * step)]);
        return Approx(out).epsilon(600 * static_cast<double>(std::numeric_limits<TestType>::epsilon())).margin(1e-40);
      };
      int wrong = by_row.back() != 55 || by_col.back() != 55;
      for (int64_t r = 0; r < rows; ++r) wrong += by_row[static_cast<size_t>(r)] != product(r * pitch, cols, 1);
      for (int64_t c = 0; c < cols; ++c) wrong += by_col[static_cast<size_t>(c)] != product(c, rows, pitch);
      INFO("x [" << rows << ", " << cols << "]");
      CHECK(wrong == 0);
    }
  }
}

TEMPLATE_TEST_CASE("argmin is the argmax of the opposite numbers", "", float, double) {
  const uint64_t seed = tests::seed(16);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t n : {1, 5, 16, 33}) {
    std::vector<TestType> x;
    for (int64_t i = 0; i < 8 * n; ++i) x.push_back(static_cast<TestType>(random.integer(-3, 3)));
    x[static_cast<size_t>(n / 2)] = kNan<TestType>;
    std::vector<TestType> opposite;
    for (const TestType v : x) opposite.push_back(-v);
    std::vector<int64_t> smallest(8), largest(8);
    kernels::argmin_rows(x.data(), 8, n, smallest.data());
    kernels::argmax_rows(opposite.data(), 8, n, largest.data());
    CHECK(smallest == largest);
    CHECK(smallest[0] == n / 2);
  }
}

TEMPLATE_TEST_CASE("argmax is the first of equal elements and any NaN wins", "", float, double) {
  const uint64_t seed = tests::seed(14);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  for (const int64_t n : kSizes) {
    if (n == 0) continue;
    const int64_t rows = 20;
    std::vector<TestType> x;
    for (int64_t i = 0; i < rows * n; ++i) x.push_back(static_cast<TestType>(random.integer(-9, -5)));
    x[static_cast<size_t>(19 * n + n / 2)] = kNan<TestType>;
    x[static_cast<size_t>(20 * n - 1)] = kNan<TestType>;
    std::vector<int64_t> got(static_cast<size_t>(rows));
    kernels::argmax_rows(x.data(), rows, n, got.data());
    int wrong = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const TestType* row = x.data() + r * n;
      int64_t want = 0;
      for (int64_t i = 1; i < n; ++i) {
        if (!std::isnan(row[want]) && (row[i] > row[want] || std::isnan(row[i]))) want = i;
      }
      wrong += got[static_cast<size_t>(r)] != want;
    }
    INFO("n = " << n);
    CHECK(wrong == 0);
  }
  const std::vector<TestType> lowest(5, -kInf<TestType>);
  int64_t at = 7;
  kernels::argmax_rows(lowest.data(), 1, 5, &at);
  CHECK(at == 0);
}

}  // namespace
}  // namespace gradus

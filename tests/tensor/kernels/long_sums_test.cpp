// SPDX-License-Identifier: MIT
// Products in f32 whose sums are longer than f32 can count.
#include <gradus/tensor/kernels/gemm/long_sums.hpp>

#include <cmath>
#include <cstdint>
#include <tuple>
#include <vector>

#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus::kernels {
namespace {

struct Product {
  Gemm<float> p;
  std::vector<float> a, b, c;

  Product(int64_t m, int64_t n, int64_t k, bool trans_a, bool trans_b)
      : p{.trans_a = trans_a,
          .trans_b = trans_b,
          .m = m,
          .n = n,
          .k = k,
          .lda = trans_a ? m : k,
          .ldb = trans_b ? k : n,
          .ldc = n},
        a(size_t(m * k), 1.0F),
        b(size_t(k * n), 1.0F),
        c(size_t(m * n), 0.5F) {}

  void run() {
    p.a = a.data();
    p.b = b.data();
    p.c = c.data();
    gemm(p);
  }
  double sum(int64_t i, int64_t j) const {
    double sum = 0.0;
    for (int64_t q = 0; q < p.k; ++q) {
      sum += double(a[size_t(p.trans_a ? q * p.m + i : i * p.k + q)]) *
             double(b[size_t(p.trans_b ? j * p.k + q : q * p.n + j)]);
    }
    return sum;
  }
};

std::vector<float> positive(tests::RandomNumbers& random, int64_t count) {
  std::vector<float> values = random.uniform<float>(count, 0.5);
  for (float& x : values) x += 0.5F;
  return values;
}

TEST_CASE("long sums: more ones than an f32 can count one by one") {
  const int64_t k = 20'000'000;
  for (const auto& [m, n, transposed] : {std::tuple<int64_t, int64_t, bool>{1, 1, true}, {1, 2, false}, {2, 1, true}}) {
    INFO(m << " x " << n);
    Product ones(m, n, k, transposed && m > 1, transposed);
    ones.run();
    for (float c : ones.c) CHECK(c == 2e7F);
  }
}

TEST_CASE("long sums: every way of a product is right, one past a part and one past a group") {
  const uint64_t seed = tests::seed(41);
  tests::RandomNumbers random(seed);
  double worst = 0.0;
  for (const auto& [m, n, k] : {std::tuple<int64_t, int64_t, int64_t>{1, 1, 4097},
                                {1, 3, 9217},
                                {2, 1, 8193},
                                {20, 16, 5000},
                                {7, 300, 4100},
                                {300, 5, 4100},
                                {70, 65, 20'000}}) {
    for (const bool trans_a : {false, true}) {
      for (const bool trans_b : {false, true}) {
        INFO("seed " << seed << ", " << m << " x " << n << " x " << k << ", transposed " << trans_a << " " << trans_b);
        Product some(m, n, k, trans_a, trans_b);
        some.a = positive(random, m * k);
        some.b = positive(random, k * n);
        some.p.alpha = 2.0F;
        some.p.beta = 3.0F;
        some.run();
        for (int64_t i = 0; i < m; i += 3) {
          for (int64_t j = 0; j < n; j += 3) {
            const double expected = 2.0 * some.sum(i, j) + 1.5;
            const double error = std::abs(double(some.c[size_t(i * n + j)]) - expected) / expected;
            worst = std::max(worst, error);
            CHECK(error < 1e-6);  // measured on ten seeds: at most 4.0e-7
          }
        }
      }
    }
  }
  CHECK(worst > 0.0);
}

TEST_CASE("long sums: the same bits for any number of threads") {
  const uint64_t seed = tests::seed(42);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  Product all(300, 270, 5000, false, false);
  all.a = random.uniform<float>(all.p.m * all.p.k);
  all.b = random.uniform<float>(all.p.k * all.p.n);
  all.p.beta = 0.0F;
  const auto run = [&](int threads) {
    const detail::ThreadCountScope scope(threads);
    all.run();
    return all.c;
  };
  const std::vector<float> one = run(1);
  CHECK(one == run(2));
  CHECK(one == run(3));
}

TEST_CASE("long sums: an element has the same bits for any number of rows and columns beside it") {
  const uint64_t seed = tests::seed(43);
  INFO("seed " << seed);
  tests::RandomNumbers random(seed);
  Product all(40, 100, 5000, false, false);
  all.a = random.uniform<float>(all.p.m * all.p.k);
  all.b = random.uniform<float>(all.p.k * all.p.n);
  all.p.beta = 0.0F;
  all.run();
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{3, 100}, {40, 7}, {1, 1}}) {
    INFO(m << " x " << n);
    std::vector<float> part(size_t(m * n));
    Gemm<float> p = all.p;
    p.m = m;
    p.n = n;
    p.c = part.data();
    p.ldc = n;
    gemm(p);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) CHECK(part[size_t(i * n + j)] == all.c[size_t(i * 100 + j)]);
    }
  }
}

TEST_CASE("long sums: a batch of products, and f64 as before") {
  const int64_t k = 6000;
  const std::vector<float> a(size_t(2 * k), 1.0F), b(size_t(2 * k), 3.0F);
  std::vector<float> c(2, -1.0F);
  batched_gemm(BatchedGemm<float>{
      {.m = 1, .n = 1, .k = k, .a = a.data(), .lda = k, .b = b.data(), .ldb = 1, .c = c.data(), .ldc = 1}, 2, k, k, 1});
  CHECK(c == std::vector<float>{18000.0F, 18000.0F});
  const std::vector<double> x(size_t(k), 1.0);
  double y = 0.0;
  gemm(Gemm<double>{.m = 1, .n = 1, .k = k, .a = x.data(), .lda = k, .b = x.data(), .ldb = 1, .c = &y, .ldc = 1});
  CHECK(y == 6000.0);
}

}  // namespace
}  // namespace gradus::kernels

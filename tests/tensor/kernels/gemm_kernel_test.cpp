// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/kernels/gemm/gemm_large.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus::kernels {
namespace {

using detail::ThreadCountScope;
using tests::RandomNumbers;

// Products of numbers in [-1, 1] of length k: plain loops and blocked FMA sums differ by less than k / 2 roundings of
// a sum below k. Measured on k <= 700: 2e-14 in f64 (limit 3e-13) and 7e-6 in f32 (limit 1e-4).
template <class T>
double tolerance() {
  return sizeof(T) == 8 ? 3e-13 : 1e-4;
}

template <class T>
struct Case {
  Gemm<T> p;
  std::vector<T> a, b, c;

  Case(RandomNumbers& random, Gemm<T> shape, int64_t padding) : p(shape) {
    p.lda = (p.trans_a ? p.m : p.k) + padding;
    p.ldb = (p.trans_b ? p.k : p.n) + 2 * padding;
    p.ldc = p.n + padding;
    a = random.uniform<T>((p.trans_a ? p.k : p.m) * p.lda);
    b = random.uniform<T>((p.trans_b ? p.n : p.k) * p.ldb);
    c = random.uniform<T>(p.m * p.ldc);
    p.a = a.data();
    p.b = b.data();
    p.c = c.data();
  }

  // The expected C in double, including the elements between the rows.
  std::vector<double> expected() const {
    std::vector<double> out(c.begin(), c.end());
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        double sum = 0;
        for (int64_t q = 0; q < p.k; ++q) {
          sum += double(a[size_t(p.trans_a ? q * p.lda + i : i * p.lda + q)]) *
                 double(b[size_t(p.trans_b ? j * p.ldb + q : q * p.ldb + j)]);
        }
        double& element = out[size_t(i * p.ldc + j)];
        element = double(p.alpha) * sum + (p.beta == T{0} ? 0.0 : double(p.beta) * element);
      }
    }
    return out;
  }
};

template <class T>
double worst_error(const std::vector<T>& got, const std::vector<double>& expected) {
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(double(got[i]) - expected[i]);
    worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(worst, error);
  }
  return worst;
}

struct Size {
  int64_t m, n, k;
};

// Sizes around the widths of tiles and vectors, flat and tall ones, and some that go to OpenBLAS in several blocks.
const std::vector<Size> kSizes = {
    {1, 1, 1},   {1, 128, 20},    {1, 20, 128},  {2, 300, 7},   {3, 33, 5},    {4, 64, 64},  {5, 17, 16},  {6, 15, 3},
    {7, 31, 40}, {8, 32, 64},     {9, 48, 13},   {13, 63, 37},  {16, 192, 64}, {20, 20, 16}, {32, 97, 66}, {64, 1, 100},
    {7, 20, 9},  {9, 22, 33},     {14, 40, 16},  {20, 24, 16},  {20, 18, 16},  {21, 12, 5},  {8, 10, 17},  {8, 36, 9},
    {1, 1, 700}, {150, 140, 130}, {400, 90, 80}, {90, 500, 70}, {0, 5, 5},     {5, 0, 5},    {5, 6, 0},    {3, 500, 0}};

template <class T>
void check_all_forms() {
  const uint64_t seed = tests::seed(11);
  RandomNumbers random(seed);
  for (const Size& size : kSizes) {
    for (int form = 0; form < 4; ++form) {
      for (const double beta : {0.0, 1.0, -0.5}) {
        Gemm<T> shape;
        shape.trans_a = form % 2 == 1;
        shape.trans_b = form / 2 == 1;
        shape.m = size.m;
        shape.n = size.n;
        shape.k = size.k;
        shape.alpha = beta == 1.0 ? T{1} : T(0.75);
        shape.beta = T(beta);
        Case<T> test(random, shape, beta == 0.0 ? 0 : 3);
        const std::vector<double> expected = test.expected();
        if (beta == 0.0) std::fill(test.c.begin(), test.c.end(), std::numeric_limits<T>::quiet_NaN());
        gemm(test.p);
        INFO("m " << size.m << " n " << size.n << " k " << size.k << " form " << form << " beta " << beta << " seed "
                  << seed);
        CHECK(worst_error(test.c, expected) < tolerance<T>());
      }
    }
  }
}

template <class T>
void check_batched(bool trans_b, bool shared_a, bool shared_b, Size size) {
  const uint64_t seed = tests::seed(12);
  RandomNumbers random(seed);
  constexpr int64_t kBatch = 37;
  Gemm<T> item{.trans_b = trans_b, .m = size.m, .n = size.n, .k = size.k, .lda = size.k, .ldc = size.n};
  item.ldb = trans_b ? size.k : size.n;
  const auto a = random.uniform<T>(kBatch * size.m * size.k), b = random.uniform<T>(kBatch * size.k * size.n);
  std::vector<T> c(size_t(kBatch * size.m * size.n), std::numeric_limits<T>::quiet_NaN()), one = c;
  item.a = a.data();
  item.b = b.data();
  item.c = c.data();
  BatchedGemm<T> batch{.item = item, .batch = kBatch};
  batch.stride_a = shared_a ? 0 : size.m * size.k;
  batch.stride_b = shared_b ? 0 : size.k * size.n;
  batch.stride_c = size.m * size.n;
  batched_gemm(batch);
  for (int64_t i = 0; i < kBatch; ++i) {
    Gemm<T> single = item;
    single.a += i * batch.stride_a;
    single.b += i * batch.stride_b;
    single.c = one.data() + i * batch.stride_c;
    gemm(single);
  }
  INFO("trans_b " << trans_b << " shared a " << shared_a << " b " << shared_b << " m " << size.m << " seed " << seed);
  CHECK(c == one);
}

template <class T>
void check_packed(const std::vector<Size>& sizes, bool transposed, bool accumulate) {
  const uint64_t seed = tests::seed(13);
  RandomNumbers random(seed);
  for (const Size& size : sizes) {
    Gemm<T> shape{.trans_b = transposed, .m = size.m, .n = size.n, .k = size.k, .beta = T(accumulate ? 1 : 0)};
    Case<T> test(random, shape, 5);
    const std::vector<double> expected = test.expected();
    std::vector<T> packed(size_t(packed_b_size<T>(size.k, size.n)));
    pack_b(size.k, size.n, test.p.b, transposed ? 1 : test.p.ldb, transposed ? test.p.ldb : 1, packed.data());
    gemm_packed(PackedGemm<T>{.m = size.m,
                              .n = size.n,
                              .k = size.k,
                              .a = test.p.a,
                              .lda = test.p.lda,
                              .packed = packed.data(),
                              .c = test.p.c,
                              .ldc = test.p.ldc,
                              .accumulate = accumulate});
    INFO("m " << size.m << " n " << size.n << " k " << size.k << " transposed " << transposed << " seed " << seed);
    CHECK(worst_error(test.c, expected) < tolerance<T>());
  }
}

template <class T>
void check_packed(const std::vector<Size>& sizes) {
  for (const bool transposed : {false, true}) {
    for (const bool accumulate : {false, true}) check_packed<T>(sizes, transposed, accumulate);
  }
}

// The last `rows` rows of the product by gemm_packed.
template <class T>
void run_last_rows(const Gemm<T>& p, int64_t rows, T* c) {
  std::vector<T> packed(size_t(packed_b_size<T>(p.k, p.n)));
  pack_b(p.k, p.n, p.b, p.trans_b ? 1 : p.ldb, p.trans_b ? p.ldb : 1, packed.data());
  PackedGemm<T> last{.m = rows, .n = p.n, .k = p.k, .lda = p.lda, .packed = packed.data(), .c = c, .ldc = p.ldc};
  last.a = p.a + (p.m - rows) * p.lda;
  last.bias = p.bias;
  gemm_packed(last);
}

// Blocks of rows and columns and parts of k end in all ways.
template <class T>
void check_large(Size size, bool trans_b, bool has_bias) {
  const uint64_t seed = tests::seed(16);
  RandomNumbers random(seed);
  Case<T> test(random, Gemm<T>{.trans_b = trans_b, .m = size.m, .n = size.n, .k = size.k}, 3);
  std::vector<double> expected = test.expected();
  const std::vector<T> bias = random.uniform<T>(size.n);
  if (has_bias) {
    test.p.bias = bias.data();
    for (int64_t i = 0; i < size.m * size.n; ++i) {
      expected[size_t(i / size.n * test.p.ldc + i % size.n)] += double(bias[size_t(i % size.n)]);
    }
  }
  for (int64_t i = 0; i < size.m; ++i) std::fill_n(test.c.begin() + i * test.p.ldc, size.n, T(NAN));
  const int64_t rows = std::min<int64_t>(9, size.m);
  std::vector<T> last(test.c.end() - rows * test.p.ldc, test.c.end());
  run_last_rows(test.p, rows, last.data());
  gemm_large(test.p);
  INFO("m " << size.m << " n " << size.n << " k " << size.k << " trans_b " << trans_b << " bias " << has_bias
            << " seed " << seed);
  // Measured: 5.3e-5 in f32, 3e-14 in f64.
  CHECK(worst_error(test.c, expected) < (sizeof(T) == 8 ? 3e-13 : 3e-4));
  CHECK(std::equal(last.begin(), last.end(), test.c.end() - rows * test.p.ldc));
}

template <class T>
void check_large() {
  for (const bool trans_b : {false, true}) {
    for (const bool has_bias : {false, true}) {
      check_large<T>({257, 300, 700}, trans_b, has_bias);
      check_large<T>({400, 1100, 256}, trans_b, has_bias);
    }
    check_large<T>({300, 600, 513}, trans_b, true);
    check_large<T>({3000, 3, 700}, trans_b, true);
    check_large<T>({5, 2100, 700}, trans_b, false);
  }
}

// With a bias, C has the bits that beta 1 gives when each of its rows starts as the bias.
template <class T>
void check_bias(Size size, bool trans_a, bool trans_b) {
  const uint64_t seed = tests::seed(17);
  RandomNumbers random(seed);
  Gemm<T> shape{.trans_a = trans_a, .trans_b = trans_b, .m = size.m, .n = size.n, .k = size.k, .beta = T{1}};
  Case<T> test(random, shape, 3);
  const std::vector<T> bias = random.uniform<T>(size.n);
  for (int64_t i = 0; i < size.m; ++i) std::copy(bias.begin(), bias.end(), test.c.begin() + i * test.p.ldc);
  Gemm<T> with_bias = test.p;
  with_bias.beta = T{0};
  with_bias.bias = bias.data();
  std::vector<T> c = test.c;
  for (int64_t i = 0; i < size.m; ++i) std::fill_n(c.begin() + i * test.p.ldc, size.n, T(NAN));
  with_bias.c = c.data();
  gemm(test.p);
  gemm(with_bias);
  INFO("m " << size.m << " n " << size.n << " k " << size.k << " " << trans_a << trans_b << " seed " << seed);
  CHECK(c == test.c);
}

template <class T>
void check_bias() {
  std::vector<Size> sizes = kSizes;
  sizes.insert(sizes.end(), {{300, 600, 513}, {260, 90, 700}, {140, 150, 4100}});
  for (const Size& size : sizes) {
    for (const bool trans_a : {false, true}) {
      for (const bool trans_b : {false, true}) check_bias<T>(size, trans_a, trans_b);
    }
  }
}

}  // namespace

TEST_CASE("gemm: every form, size and beta equals the plain loops in f64") { check_all_forms<double>(); }
TEST_CASE("gemm: every form, size and beta equals the plain loops in f32") { check_all_forms<float>(); }

TEST_CASE("gemm: a bias is added to each row") {
  check_bias<float>();
  check_bias<double>();
}

TEST_CASE("gemm: beta 0 never reads C and nothing is written between the rows of C") {
  const std::vector<double> a = {1, 2, 3, 4}, b = {5, 6, 7, 8};
  std::vector<double> c(6, std::numeric_limits<double>::infinity());
  gemm(Gemm<double>{.m = 2, .n = 2, .k = 2, .a = a.data(), .lda = 2, .b = b.data(), .ldb = 2, .c = c.data(), .ldc = 3});
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(c == std::vector<double>{19, 22, inf, 43, 50, inf});
}

TEST_CASE("gemm: a NaN or an infinity stays in its own row and column") {
  for (const int64_t k : {4, 300}) {
    std::vector<float> a(size_t(5 * k), 1.0f), b(size_t(k * 40), 1.0f), c(200);
    a[size_t(2 * k + 1)] = std::numeric_limits<float>::quiet_NaN();
    b[3] = std::numeric_limits<float>::infinity();
    gemm(Gemm<float>{
        .m = 5, .n = 40, .k = k, .a = a.data(), .lda = k, .b = b.data(), .ldb = 40, .c = c.data(), .ldc = 40});
    for (int i = 0; i < 5; ++i) {
      for (int j = 0; j < 40; ++j) {
        const float value = c[size_t(i * 40 + j)];
        const bool right = i == 2 ? std::isnan(value) : j == 3 ? std::isinf(value) : value == float(k);
        REQUIRE(right);
      }
    }
  }
}

TEST_CASE("gemm: below OpenBLAS a row has the same bits whatever the number of rows") {
  const uint64_t seed = tests::seed(14);
  INFO("seed " << seed);
  RandomNumbers random(seed);
  for (const bool trans_b : {false, true}) {
    Case<float> all(random, Gemm<float>{.trans_b = trans_b, .m = 29, .n = 41, .k = 45}, 0);
    gemm(all.p);
    for (int64_t rows = trans_b ? 2 : 1; rows < 29; ++rows) {
      std::vector<float> c(size_t(rows * 41));
      Gemm<float> part = all.p;
      part.m = rows;
      part.a += (29 - rows) * all.p.lda;
      part.c = c.data();
      gemm(part);
      REQUIRE(std::equal(c.begin(), c.end(), all.c.end() - rows * 41));
    }
  }
}

TEST_CASE("gemm_large: equals the plain loops, and its rows have the bits of gemm_packed") {
  check_large<double>();
  check_large<float>();
}

TEST_CASE("gemm: the same bits at any number of threads") {
  const uint64_t seed = tests::seed(15);
  INFO("seed " << seed);
  const std::vector<Size> sizes = {{640, 192, 64}, {192, 64, 640}, {40, 900, 300}, {333, 257, 129}, {520, 700, 300}};
  for (const Size& size : sizes) {
    for (int form = 0; form < 4; ++form) {
      RandomNumbers random(seed);
      Gemm<float> shape{.trans_a = form % 2 == 1, .trans_b = form / 2 == 1, .m = size.m, .n = size.n, .k = size.k};
      std::vector<std::vector<float>> results;
      for (const int threads : {1, 2, 5}) {
        const ThreadCountScope scope(threads);
        RandomNumbers same(seed);
        Case<float> test(same, shape, 1);
        gemm(test.p);
        results.push_back(test.c);
      }
      CHECK(results[0] == results[1]);
      CHECK(results[0] == results[2]);
    }
  }
}

TEST_CASE("batched_gemm: equals one product after the other, with shared operands too") {
  for (const bool trans_b : {false, true}) {
    for (const Size& size : std::vector<Size>{{1, 128, 20}, {20, 20, 16}, {1, 20, 64}, {20, 1, 3}, {3, 7, 0}}) {
      check_batched<float>(trans_b, false, false, size);
      check_batched<double>(trans_b, false, false, size);
      check_batched<float>(trans_b, true, false, size);
      check_batched<double>(trans_b, false, true, size);
    }
  }
  check_batched<float>(false, false, true, {110, 100, 120});
}

TEST_CASE("gemm_packed: equals the plain loops, with B given either way round") {
  check_packed<double>(kSizes);
  check_packed<float>(kSizes);
}

TEST_CASE("gemm_packed: one row equals the plain loops for all ends of the columns and of the sum") {
  std::vector<Size> sizes;
  for (const int64_t n : {1, 3, 4, 5, 8, 11, 16, 17, 24, 31, 32, 33, 48, 56, 64, 65, 90, 96, 127, 128, 129, 300}) {
    for (const int64_t k : {1, 2, 3, 4, 5, 7, 32, 101}) sizes.push_back({1, n, k});
  }
  check_packed<double>(sizes);
  check_packed<float>(sizes);
}

TEST_CASE("gemm_packed: parts of k one after the other, and a bias, for any number of rows") {
  const uint64_t seed = tests::seed(18);
  for (const int64_t rows : {1, 3, 10, 20}) {
    RandomNumbers random(seed);
    Case<float> test(random, Gemm<float>{.m = rows, .n = 70, .k = 90}, 0);
    std::vector<double> expected = test.expected();
    const std::vector<float> bias = random.uniform<float>(70);
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += double(bias[i % 70]);
    PackedGemm<float> p{.m = rows, .n = 70, .a = test.p.a, .lda = 90, .c = test.c.data(), .ldc = 70};
    for (const int64_t first : {0, 40}) {
      p.k = first == 0 ? 40 : 50;
      std::vector<float> packed(size_t(packed_b_size<float>(p.k, 70)));
      pack_b(p.k, 70, test.p.b + first * 70, 70, 1, packed.data());
      p.packed = packed.data();
      p.a = test.p.a + first;
      p.resumes = first > 0;
      p.bias = first > 0 ? bias.data() : nullptr;
      gemm_packed(p);
    }
    INFO("rows " << rows << " seed " << seed);
    CHECK(worst_error(test.c, expected) < tolerance<float>());
    p.k = 0;
    p.resumes = false;
    gemm_packed(p);
    for (size_t i = 0; i < test.c.size(); ++i) REQUIRE(test.c[i] == bias[i % 70]);
  }
}

TEST_CASE("pack_b: any two strides") {
  std::vector<double> b(60), packed(size_t(packed_b_size<double>(3, 5))), c(5);
  for (size_t i = 0; i < b.size(); ++i) b[i] = double(i);
  const std::vector<double> a = {1, 10, 100};
  pack_b(3, 5, b.data(), 2, 7, packed.data());
  gemm_packed(PackedGemm<double>{
      .m = 1, .n = 5, .k = 3, .a = a.data(), .lda = 3, .packed = packed.data(), .c = c.data(), .ldc = 5});
  for (int j = 0; j < 5; ++j) CHECK(c[size_t(j)] == 7 * j + 10 * (2 + 7 * j) + 100 * (4 + 7 * j));
}

}  // namespace gradus::kernels

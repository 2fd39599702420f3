// SPDX-License-Identifier: MIT

// Measures single kernels against their limits in this process. gemm: FLOP/s, and peak, the most that one core can do.
// Functions of one number: per_element, and copy, the seconds that a bare y = 2 x takes on the same arrays. The arrays
// fill half of a first-level cache of 32 KiB, or half of a second-level one of 1 MiB.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

#include <gradus/tensor/kernels/elementwise/elementwise.hpp>
#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/kernels/gemm/tensor_matmul.hpp>
#include <gradus/tensor/random/random.hpp>

#include "checks.hpp"
#include "roofline.hpp"

namespace gradus::bench {
namespace {

constexpr uint64_t kSeed = 1;

// A batch has m rows. Weights are stored as [n, k], as in PyTorch. forward: x W^T; by_input: dy W; by_weight: dy^T x.
enum class Role { forward, by_input, by_weight };

struct Product {
  const char* name;
  Role role;
  int64_t m, k, n;
};

constexpr Product kProducts[] = {
    {"gemm_forward/B1_in64_out192", Role::forward, 1, 64, 192},
    {"gemm_forward/B32_in64_out192", Role::forward, 32, 64, 192},
    {"gemm_forward/B640_in32_out192", Role::forward, 640, 32, 192},
    {"gemm_forward/B640_in64_out192", Role::forward, 640, 64, 192},
    {"gemm_forward/B700_in200_out600", Role::forward, 700, 200, 600},
    {"gemm_forward/B3200_in256_out1536", Role::forward, 3200, 256, 1536},
    {"gemm_by_input/B32_in64_out192", Role::by_input, 32, 192, 64},
    {"gemm_by_input/B640_in64_out192", Role::by_input, 640, 192, 64},
    {"gemm_by_weight/B640_in64_out192", Role::by_weight, 192, 640, 64},
    {"gemm_by_weight/B3200_in256_out1536", Role::by_weight, 1536, 3200, 256},
};

struct Matrices {
  Tensor a, b, c;
  kernels::Gemm<float> call;
  double flops;

  explicit Matrices(const Product& p) : flops(2.0 * static_cast<double>(p.m * p.n * p.k)) {
    Generator generator(kSeed);
    const bool trans_a = p.role == Role::by_weight, trans_b = p.role == Role::forward;
    a = uniform(trans_a ? Shape{p.k, p.m} : Shape{p.m, p.k}, generator, {.low = -1.0, .high = 1.0});
    b = uniform(trans_b ? Shape{p.n, p.k} : Shape{p.k, p.n}, generator, {.low = -1.0, .high = 1.0});
    c = zeros({p.m, p.n});
    call = {.trans_a = trans_a,
            .trans_b = trans_b,
            .m = p.m,
            .n = p.n,
            .k = p.k,
            .a = a.data<float>(),
            .lda = a.size(1),
            .b = b.data<float>(),
            .ldb = b.size(1),
            .c = c.mutable_data_<float>(),
            .ldc = p.n};
  }
};

void check_product(const Matrices& matrices) {
  const kernels::Gemm<float>& p = matrices.call;
  kernels::gemm(p);
  // Compares three whole rows: the first, one in the middle, the last.
  const Tensor a = p.trans_a ? matrices.a.transpose(0, 1) : matrices.a;
  const Tensor b = p.trans_b ? matrices.b.transpose(0, 1).contiguous() : matrices.b;
  const float* right = b.data<float>();
  for (const int64_t row : {int64_t{0}, p.m / 2, p.m - 1}) {
    const Tensor left = a.select(0, row).contiguous();
    Tensor expected = zeros({p.n}, {.dtype = DType::f64});
    double* sums = expected.mutable_data_<double>();
    for (int64_t l = 0; l < p.k; ++l) {
      const double factor = static_cast<double>(left.data<float>()[l]);
      for (int64_t j = 0; j < p.n; ++j) sums[j] += factor * static_cast<double>(right[l * p.n + j]);
    }
    // Measured: 7e-7 at most.
    require_close("a row of the product", matrices.c.select(0, row), expected, 1e-5);
  }
}

void gemm(benchmark::State& state, const Product& product) {
  const Matrices matrices(product);
  check_product(matrices);
  for ([[maybe_unused]] auto _ : state) {
    kernels::gemm(matrices.call);
    benchmark::ClobberMemory();
  }
  state.counters["FLOP/s"] = benchmark::Counter(matrices.flops, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["peak"] = peak_flops();
}

// 1,024 products of 20 x 16 x 20, as attention over short sentences has them.
void small_products(benchmark::State& state) {
  constexpr int64_t kBatch = 1024, kRows = 20, kInner = 16, kColumns = 20;
  Generator generator(kSeed);
  const Tensor a = normal({kBatch, kRows, kInner}, generator), b = normal({kBatch, kInner, kColumns}, generator);
  Tensor c = zeros({kBatch, kRows, kColumns});
  const kernels::Gemm<float> item = {.m = kRows,
                                     .n = kColumns,
                                     .k = kInner,
                                     .a = a.data<float>(),
                                     .lda = kInner,
                                     .b = b.data<float>(),
                                     .ldb = kColumns,
                                     .c = c.mutable_data_<float>(),
                                     .ldc = kColumns};
  const kernels::BatchedGemm<float> call = {.item = item,
                                            .batch = kBatch,
                                            .stride_a = kRows * kInner,
                                            .stride_b = kInner * kColumns,
                                            .stride_c = kRows * kColumns};
  kernels::batched_gemm(call);
  Tensor expected = zeros({kRows, kColumns}, {.dtype = DType::f64});
  kernels::matmul(a.select(0, kBatch - 1).to(DType::f64), b.select(0, kBatch - 1).to(DType::f64), expected);
  require_close("a small product", c.select(0, kBatch - 1), expected, 1e-5);
  for ([[maybe_unused]] auto _ : state) {
    kernels::batched_gemm(call);
    benchmark::ClobberMemory();
  }
  state.counters["FLOP/s"] =
      benchmark::Counter(2.0 * kBatch * kRows * kInner * kColumns, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["peak"] = peak_flops();
}

struct Function {
  const char* name;
  kernels::UnaryFn fn;
  double (*exact)(double);
};

constexpr Function kFunctions[] = {
    {"exp", kernels::UnaryFn::exp, [](double x) { return std::exp(x); }},
    {"tanh", kernels::UnaryFn::tanh, [](double x) { return std::tanh(x); }},
    {"sigmoid", kernels::UnaryFn::sigmoid, [](double x) { return 1.0 / (1.0 + std::exp(-x)); }},
};

// The seconds for y = 2 x, the best of many runs.
double copy_seconds(const float* x, float* y, int64_t n) {
  double best = HUGE_VAL;
  for (int repeat = 0; repeat < 200; ++repeat) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 10; ++i) {
      kernels::scale(2.0f, x, y, n);
      benchmark::ClobberMemory();
    }
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / 10.0);
  }
  return best;
}

void check_function(const Function& function, const float* x, const float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double expected = function.exact(static_cast<double>(x[i]));
    // Four units in the last place. The kernels' own tests have tighter bounds.
    const double allowed = 4.0 * 0x1p-23 * std::abs(expected);
    GRADUS_CHECK(std::abs(static_cast<double>(y[i]) - expected) <= allowed, "[bench] ", function.name, "(", x[i],
                 ") is wrong: expected ", expected, ", got ", y[i]);
  }
}

void elementwise(benchmark::State& state, const Function& function, int64_t n) {
  Generator generator(kSeed);
  const Tensor input = uniform({n}, generator, {.low = -8.0, .high = 8.0});
  Tensor output = zeros({n});
  const float* x = input.data<float>();
  float* y = output.mutable_data_<float>();
  kernels::unary(function.fn, x, y, n);
  check_function(function, x, y, n);
  for ([[maybe_unused]] auto _ : state) {
    kernels::unary(function.fn, x, y, n);
    benchmark::ClobberMemory();
  }
  state.counters["per_element"] = benchmark::Counter(
      static_cast<double>(n), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["copy"] = copy_seconds(x, y, n) / static_cast<double>(n);
}

[[maybe_unused]] const bool registered = [] {
  for (const Product& product : kProducts) {
    benchmark::RegisterBenchmark(product.name, [&product](benchmark::State& state) { gemm(state, product); });
  }
  benchmark::RegisterBenchmark("gemm_small/1024x20x16x20", small_products);
  for (const Function& function : kFunctions) {
    for (const int64_t n : {int64_t{2048}, int64_t{65536}}) {
      const std::string name = std::string(function.name) + "/" + std::to_string(n);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [&function, n](benchmark::State& state) { elementwise(state, function, n); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace gradus::bench

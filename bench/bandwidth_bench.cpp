// SPDX-License-Identifier: MIT

// Measures ops on arrays that are larger than any cache against a plain y = 2 x on as much memory, and matrix products
// against the same products in OpenBLAS. Both sides alternate. of_copy: bytes read and written per second, as a share
// of the copy's. of_blas: the time of OpenBLAS divided by ours. Each figure is the median of the rounds.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/tensor/kernels/elementwise/elementwise.hpp>
#include <gradus/tensor/kernels/gemm/blas.hpp>
#include <gradus/tensor/kernels/gemm/gemm.hpp>
#include <gradus/tensor/random/random.hpp>

#include "checks.hpp"

namespace gradus::bench {
namespace {

constexpr int64_t kElements = int64_t{8} << 20;  // 32 MiB of f32

template <class Work>
double seconds_of(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  benchmark::ClobberMemory();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// A function of one or two arrays of kElements, and the number of such arrays that it reads and writes.
struct Streaming {
  const char* name;
  double arrays;
  Variable (*run)(const Variable& a, const Variable& b);
};

const Streaming kStreaming[] = {
    {"add", 3, [](const Variable& a, const Variable& b) { return add(a, b); }},
    {"mul_by_number", 2, [](const Variable& a, const Variable&) { return a * 3.0; }},
    {"relu", 2, [](const Variable& a, const Variable&) { return relu(a); }},
    {"tanh", 2, [](const Variable& a, const Variable&) { return tanh(a); }},
    {"sum_all", 1, [](const Variable& a, const Variable&) { return sum(a); }},
    {"sum_rows", 1,
     [](const Variable& a, const Variable&) {
       return sum(reshape(a, {8192, 1024}), {1});
     }},
    {"sum_columns", 1,
     [](const Variable& a, const Variable&) {
       return sum(reshape(a, {8192, 1024}), {0});
     }},
    {"max_all", 1, [](const Variable& a, const Variable&) { return max(a, {}); }},
    {"max_rows", 1,
     [](const Variable& a, const Variable&) {
       return max(reshape(a, {8192, 1024}), {1});
     }},
};

void streaming(benchmark::State& state, const Streaming& what) {
  Generator generator(1);
  const Tensor a = uniform({kElements}, generator, {.low = -1.0, .high = 1.0});
  const Tensor b = uniform({kElements}, generator, {.low = -1.0, .high = 1.0});
  Tensor copy = zeros({kElements});
  const auto* from = a.data<float>();
  auto* to = copy.mutable_data_<float>();
  const NoGrad no_grad;
  static_cast<void>(what.run(a, b));  // a first run, so that the memory of the result exists from now on
  std::vector<double> ours, copies;
  for ([[maybe_unused]] auto _ : state) {
    ours.push_back(seconds_of([&] { benchmark::DoNotOptimize(what.run(a, b)); }));
    state.PauseTiming();
    copies.push_back(seconds_of([&] { kernels::scale(2.0F, from, to, kElements); }));
    state.ResumeTiming();
  }
  const double array = static_cast<double>(kElements) * sizeof(float);
  state.counters["bytes/s"] = what.arrays * array / median(ours);
  state.counters["of_copy"] = what.arrays / median(ours) / (2.0 / median(copies));
}

void product(benchmark::State& state, int64_t size, bool transposed) {
  Generator generator(1);
  const Tensor a = uniform({size, size}, generator, {.low = -1.0, .high = 1.0});
  const Tensor b = uniform({size, size}, generator, {.low = -1.0, .high = 1.0});
  Tensor c = zeros({size, size}), by_blas = zeros({size, size});
  kernels::Gemm<float> call = {.trans_b = transposed,
                               .m = size,
                               .n = size,
                               .k = size,
                               .a = a.data<float>(),
                               .lda = size,
                               .b = b.data<float>(),
                               .ldb = size,
                               .c = c.mutable_data_<float>(),
                               .ldc = size};
  kernels::Gemm<float> direct = call;
  direct.c = by_blas.mutable_data_<float>();
  kernels::gemm(call);
  kernels::blas_gemm(direct);
  require_close("the product", c, by_blas, 1e-4);
  std::vector<double> ours, theirs;
  for ([[maybe_unused]] auto _ : state) {
    ours.push_back(seconds_of([&] { kernels::gemm(call); }));
    state.PauseTiming();
    theirs.push_back(seconds_of([&] { kernels::blas_gemm(direct); }));
    state.ResumeTiming();
  }
  state.counters["FLOP/s"] = 2.0 * static_cast<double>(size * size * size) / median(ours);
  state.counters["of_blas"] = median(theirs) / median(ours);
}

[[maybe_unused]] const bool registered = [] {
  for (const Streaming& what : kStreaming) {
    benchmark::RegisterBenchmark(what.name, [&what](benchmark::State& state) { streaming(state, what); });
  }
  for (const int64_t size :
       {int64_t{128}, int64_t{256}, int64_t{512}, int64_t{640}, int64_t{1024}, int64_t{1536}, int64_t{2048}}) {
    for (const bool transposed : {false, true}) {
      const std::string name = std::string(transposed ? "gemm_nt/" : "gemm_nn/") + std::to_string(size);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [size, transposed](benchmark::State& state) { product(state, size, transposed); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace gradus::bench

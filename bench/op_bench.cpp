// SPDX-License-Identifier: MIT

// Measures the cost of one op apart from its arithmetic: a chain of 100 ops on 16 numbers. per_op is in seconds.

#include <benchmark/benchmark.h>

#include <cmath>
#include <string>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>

#include "checks.hpp"
#include "workloads.hpp"

namespace gradus::bench {
namespace {

constexpr uint64_t kSeed = 1;

struct ChainValues {
  Tensor y, dx, dw;
};

// Computes the chain and its derivatives in f64, one number at a time, in forward order.
ChainValues expected_chain(const OpChain& chain) {
  const int64_t size = chain.x.numel();
  ChainValues result{Tensor::empty({size}, DType::f64), Tensor::empty({size}, DType::f64),
                     Tensor::empty({size}, DType::f64)};
  for (int64_t i = 0; i < size; ++i) {
    const double w = chain.w.at({i});
    double y = chain.x.at({i}), by_x = 1.0, by_w = 0.0;
    for (int op = 0; op < OpChain::kOps; ++op) {
      if (op % 3 == 0) {
        y += w;
        by_w += 1.0;
      } else if (op % 3 == 1) {
        by_x *= w;
        by_w = by_w * w + y;
        y *= w;
      } else {
        y = std::tanh(y);
        by_x *= 1.0 - y * y;
        by_w *= 1.0 - y * y;
      }
    }
    const double cotangent = chain.cotangent.at({i});
    result.y.mutable_data_<double>()[i] = y;
    result.dx.mutable_data_<double>()[i] = by_x * cotangent;
    result.dw.mutable_data_<double>()[i] = by_w * cotangent;
  }
  return result;
}

void check_chain(const OpChain& chain, bool create_graph) {
  const ChainValues expected = expected_chain(chain);
  const Variable x = leaf(chain.x), w = leaf(chain.w);
  const Variable y = OpChain::run(x, w);
  const std::vector<Variable> gradients =
      grad({y}, {x, w}, {.create_graph = create_graph, .cotangents = {chain.cotangent}});
  // Measured: 3.1e-7.
  constexpr double kTolerance = 1e-5;
  require_close("the chain's value", y.value(), expected.y, kTolerance);
  require_close("the chain's derivative by x", gradients[0].value(), expected.dx, kTolerance);
  require_close("the chain's derivative by w", gradients[1].value(), expected.dw, kTolerance);
}

void count_ops(benchmark::State& state) {
  state.counters["per_op"] =
      benchmark::Counter(OpChain::kOps, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void forward_unrecorded(benchmark::State& state) {
  const OpChain chain(kSeed);
  check_chain(chain, false);
  const Variable x = leaf(chain.x), w = leaf(chain.w);
  const NoGrad no_grad;
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(OpChain::run(x, w));
  count_ops(state);
}
BENCHMARK(forward_unrecorded);

void forward_recorded(benchmark::State& state) {
  const OpChain chain(kSeed);
  check_chain(chain, false);
  const Variable x = leaf(chain.x), w = leaf(chain.w);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(OpChain::run(x, w));
  count_ops(state);
}
BENCHMARK(forward_recorded);

void forward_and_gradient(benchmark::State& state, bool create_graph) {
  const OpChain chain(kSeed);
  check_chain(chain, create_graph);
  const Variable x = leaf(chain.x), w = leaf(chain.w);
  const std::vector<Variable> inputs = {x, w};
  const GradOptions options = {.create_graph = create_graph, .cotangents = {chain.cotangent}};
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(grad({OpChain::run(x, w)}, inputs, options));
  count_ops(state);
}

void forward_backward(benchmark::State& state) { forward_and_gradient(state, false); }
BENCHMARK(forward_backward);

void forward_backward_create_graph(benchmark::State& state) { forward_and_gradient(state, true); }
BENCHMARK(forward_backward_create_graph);

// The cost of an op hardly depends on the number of axes and elements while these are small.
void forward_backward_of_shape(benchmark::State& state, const Shape& shape) {
  const OpChain chain(kSeed, shape);
  const Variable x = leaf(chain.x), w = leaf(chain.w);
  const std::vector<Variable> inputs = {x, w};
  const GradOptions options = {.cotangents = {chain.cotangent}};
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(grad({OpChain::run(x, w)}, inputs, options));
  count_ops(state);
}

[[maybe_unused]] const bool registered = [] {
  for (const Shape& shape :
       {Shape{}, Shape{1}, Shape{4}, Shape{16}, Shape{64}, Shape{8, 8}, Shape{4, 4, 4}, Shape{2, 4, 4, 2}}) {
    const std::string name = "forward_backward/" + to_string(shape);
    benchmark::RegisterBenchmark(name.c_str(),
                                 [shape](benchmark::State& state) { forward_backward_of_shape(state, shape); });
  }
  return true;
}();

}  // namespace
}  // namespace gradus::bench

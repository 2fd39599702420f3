// SPDX-License-Identifier: MIT

// Attention, forward and backward, in tiles and composed of public ops. The sizes are batch, heads, length, width.
// flops counts the products of the whole square, of which causal attention needs half.

#include <benchmark/benchmark.h>

#include <cmath>
#include <string>
#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>

#include "checks.hpp"

namespace gradus::bench {
namespace {

constexpr uint64_t kSeed = 1;

struct Workload {
  Variable query, key, value;
  Tensor cotangent;
  Variable keep;  // bool [T, T], for the composed function
  bool causal = false;
};

Workload workload(const benchmark::State& state) {
  Generator generator(kSeed);
  const Shape shape = {state.range(0), state.range(1), state.range(2), state.range(3)};
  const auto draw = [&] { return uniform(shape, generator, {.low = -1.0, .high = 1.0}); };
  Workload out{leaf(draw()), leaf(draw()), leaf(draw()), draw(), {}, state.range(4) != 0};
  if (!out.causal) return out;
  const int64_t length = shape[2];
  Tensor keep = zeros({length, length}, {.dtype = DType::boolean});
  for (int64_t i = 0; i < length; ++i) {
    for (int64_t j = 0; j <= i; ++j) keep.mutable_data_<bool>()[i * length + j] = true;
  }
  out.keep = expand(Variable(keep), {shape[0], shape[1], length, length});
  return out;
}

Variable in_tiles(const Workload& w) { return dot_product_attention(w.query, w.key, w.value, {.causal = w.causal}); }

Variable composed(const Workload& w) {
  const Variable scores =
      matmul(w.query, transpose(w.key, 2, 3)) * (1.0 / std::sqrt(static_cast<double>(w.key.size(3))));
  return matmul(softmax(scores, -1, w.keep), w.value);
}

template <class Attend>
std::vector<Variable> results(const Workload& w, const Attend& attend) {
  const Variable y = attend(w);
  std::vector<Variable> out = grad({y}, {w.query, w.key, w.value}, {.cotangents = {Variable(w.cotangent)}});
  out.push_back(y);
  return out;
}

template <class Attend>
void attention(benchmark::State& state, const Attend& attend) {
  const Workload w = workload(state);
  for (auto _ : state) benchmark::DoNotOptimize(results(w, attend));
  const auto scores = static_cast<double>(w.query.numel()) * static_cast<double>(w.key.size(2));
  state.counters["flops"] = benchmark::Counter(14.0 * scores, benchmark::Counter::kIsIterationInvariantRate);
}

void tiles(benchmark::State& state) {
  const Workload w = workload(state);
  if (w.query.size(2) <= 512 && first_time(std::to_string(state.range(2)).c_str())) {
    const std::vector<Variable> got = results(w, in_tiles), expected = results(w, composed);
    for (size_t i = 0; i < got.size(); ++i) require_close("attention", got[i].value(), expected[i].value(), 1e-5);
  }
  attention(state, in_tiles);
}

void public_ops(benchmark::State& state) { attention(state, composed); }

// Additive attention (Bahdanau et al. 2015): scores, softmax, weighted sum. Each score takes `width` tanh.
void additive(benchmark::State& state) {
  Generator generator(kSeed);
  const Shape shape = {state.range(0), state.range(1), state.range(2)};
  const auto draw = [&](const Shape& of) { return uniform(of, generator, {.low = -1.0, .high = 1.0}); };
  const Variable query = leaf(draw(shape)), key = leaf(draw(shape)), value = leaf(draw(shape));
  const Variable v = leaf(draw({shape[2]}));
  const Variable cotangent(draw(shape));
  for (auto _ : state) {
    const Variable y = matmul(softmax(additive_score(query, key, v)), value);
    benchmark::DoNotOptimize(grad({y}, {query, key, value, v}, {.cotangents = {cotangent}}));
  }
  state.counters["tanh"] = benchmark::Counter(static_cast<double>(query.numel() * key.size(1)),
                                              benchmark::Counter::kIsIterationInvariantRate);
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"batch", "heads", "length", "width", "causal"});
  b->Args({32, 4, 20, 16, 0})->Args({8, 8, 128, 64, 0})->Args({4, 8, 512, 64, 1})->Args({1, 8, 2048, 64, 1});
  b->UseRealTime()->Unit(benchmark::kMillisecond);
}

BENCHMARK(tiles)->Apply(sizes);
BENCHMARK(public_ops)->Apply(sizes);
BENCHMARK(additive)
    ->ArgNames({"batch", "length", "width"})
    ->Args({8, 128, 64})
    ->Args({8, 1024, 64})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gradus::bench

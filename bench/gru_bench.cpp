// SPDX-License-Identifier: MIT

// Measures a GRU layer, forward and backward: T steps, batch B, input size I (H when it is not named), hidden size H, L
// layers. FLOP/s counts only the matrix products (input and recurrent, and twice as many in the backward). The column
// peak is the most that one core can do.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

#include "checks.hpp"
#include "roofline.hpp"

namespace gradus::bench {
namespace {

constexpr uint64_t kSeed = 1;

struct GruShape {
  const char* name;
  int64_t time, batch, input, hidden, layers;

  double flops() const {
    double sizes = 0.0;
    for (int64_t layer = 0; layer < layers; ++layer) {
      sizes += static_cast<double>((layer == 0 ? input : hidden) + hidden);
    }
    // Forward, gradient of the inputs, gradient of the weights: three products with two operations an element.
    return 3.0 * 2.0 * static_cast<double>(time * batch) * static_cast<double>(3 * hidden) * sizes;
  }
};

constexpr GruShape kShapes[] = {
    {.name = "T20 B32 H64", .time = 20, .batch = 32, .input = 64, .hidden = 64, .layers = 1},
    {.name = "T20 B1 H32", .time = 20, .batch = 1, .input = 32, .hidden = 32, .layers = 1},
    {.name = "T35 B20 H200 L2", .time = 35, .batch = 20, .input = 200, .hidden = 200, .layers = 2},
    {.name = "T50 B64 I256 H512", .time = 50, .batch = 64, .input = 256, .hidden = 512, .layers = 1},
};

struct Workload {
  Generator generator{kSeed};
  Gru layer;
  Tensor x;
  Tensor cotangent;
  std::vector<Variable> inputs;  // the differentiated values: x, then all parameters

  explicit Workload(const GruShape& s)
      : layer({.input_size = s.input, .hidden_size = s.hidden, .num_layers = s.layers}, generator),
        x(uniform({s.batch, s.time, s.input}, generator, {.low = -1.0, .high = 1.0})),
        cotangent(uniform({s.batch, s.time, s.hidden}, generator, {.low = -1.0, .high = 1.0})),
        inputs{leaf(x)} {
    for (const NamedParameter& named : layer.parameters()) inputs.push_back(*named.parameter);
  }
  Variable forward() { return layer(inputs[0]).output; }
  std::vector<Variable> backward(const Variable& y) { return grad({y}, inputs, {.cotangents = {cotangent}}); }
};

// The layer in elementary ops, one step at a time.
Variable composed(Workload& workload, const GruShape& s) {
  Variable sequence = workload.inputs[0];
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    const RecurrentWeights& w = workload.layer.weights(layer);
    Variable h = zeros({s.batch, s.hidden});
    std::vector<Variable> states;
    for (const Variable& x : unbind(sequence, 1)) {
      const Variable from_x = linear(x, w.weight_ih, w.bias_ih);
      const Variable from_h = linear(h, w.weight_hh, w.bias_hh);
      const auto gate = [&](const Variable& gates, int64_t index) {
        return narrow(gates, 1, index * s.hidden, s.hidden);
      };
      const Variable r = sigmoid(gate(from_x, 0) + gate(from_h, 0));
      const Variable z = sigmoid(gate(from_x, 1) + gate(from_h, 1));
      const Variable n = tanh(gate(from_x, 2) + r * gate(from_h, 2));
      h = (1.0 - z) * n + z * h;
      states.push_back(h);
    }
    sequence = stack(states, 1);
  }
  return sequence;
}

void check_layer(Workload& workload, const GruShape& shape) {
  const Variable y = workload.forward();
  const Variable expected_y = composed(workload, shape);
  // Measured: 2.4e-6 at most.
  constexpr double kTolerance = 3e-5;
  require_close("the layer's output", y.value(), expected_y.value(), kTolerance);
  const std::vector<Variable> gradients = workload.backward(y);
  const std::vector<Variable> expected = workload.backward(expected_y);
  const std::vector<NamedParameter> parameters = workload.layer.parameters();
  for (size_t i = 0; i < gradients.size(); ++i) {
    const std::string what = "the gradient of " + (i == 0 ? std::string("x") : parameters[i - 1].name);
    require_close(what.c_str(), gradients[i].value(), expected[i].value(), kTolerance);
  }
}

void gru_forward_backward(benchmark::State& state, const GruShape& shape) {
  Workload workload(shape);
  if (first_time(shape.name)) check_layer(workload, shape);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(workload.backward(workload.forward()));
  state.counters["FLOP/s"] = benchmark::Counter(shape.flops(), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["peak"] = peak_flops();
}

[[maybe_unused]] const bool registered = [] {
  for (const GruShape& shape : kShapes) {
    benchmark::RegisterBenchmark(shape.name, [&shape](benchmark::State& state) { gru_forward_backward(state, shape); })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  }
  return true;
}();

}  // namespace
}  // namespace gradus::bench

// SPDX-License-Identifier: MIT

// Measures recurrent layers, forward and backward: T steps, batch B, input size I (H when it is not named), hidden size
// H, L layers. FLOP/s counts only the matrix products (input and recurrent, and twice as many in the backward). The
// column peak is the most that one core can do. Then single steps in inference: step() of the layer, and the steps of a
// RecurrentStepper, which allocate nothing.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/views/views.hpp>

#include "checks.hpp"
#include "recurrent_layer.hpp"
#include "roofline.hpp"

namespace gradus::bench {
namespace {

struct CellState {
  Variable h, c;
};

// One step of a cell in elementary ops, from both shares of its gates.
CellState step(CellKind cell, const Variable& from_x, const Variable& from_h, const CellState& state) {
  const int64_t hidden = state.h.size(1);
  const auto x = [&](int64_t index) { return narrow(from_x, 1, index * hidden, hidden); };
  const auto h = [&](int64_t index) { return narrow(from_h, 1, index * hidden, hidden); };
  const auto both = [&](int64_t index) { return x(index) + h(index); };
  switch (cell) {
    case CellKind::rnn:
      return {tanh(both(0)), {}};
    case CellKind::gru: {
      const Variable z = sigmoid(both(1));
      const Variable n = tanh(x(2) + sigmoid(both(0)) * h(2));
      return {(1.0 - z) * n + z * state.h, {}};
    }
    case CellKind::lstm:
      break;
  }
  const Variable c = sigmoid(both(1)) * state.c + sigmoid(both(0)) * tanh(both(2));
  return {sigmoid(both(3)) * tanh(c), c};
}

// The layer in elementary ops, one step at a time.
Variable composed(RecurrentWorkload& workload, const RecurrentShape& s) {
  Variable sequence = workload.inputs[0];
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    const RecurrentWeights& w = workload.layer.weights(layer);
    CellState state{zeros({s.batch, s.hidden}), zeros({s.batch, s.hidden})};
    std::vector<Variable> states;
    for (const Variable& x : unbind(sequence, 1)) {
      state = step(s.cell, linear(x, w.weight_ih, w.bias_ih), linear(state.h, w.weight_hh, w.bias_hh), state);
      states.push_back(state.h);
    }
    sequence = stack(states, 1);
  }
  return sequence;
}

void check_layer(RecurrentWorkload& workload, const RecurrentShape& shape) {
  const Variable y = workload.forward();
  const Variable expected_y = composed(workload, shape);
  // Measured: 3.4e-6 at most.
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

void forward_backward(benchmark::State& state, const RecurrentShape& shape) {
  RecurrentWorkload workload(shape);
  if (first_time(shape.name().c_str())) check_layer(workload, shape);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(workload.backward(workload.forward()));
  state.counters["FLOP/s"] = benchmark::Counter(shape.flops(), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["peak"] = peak_flops();
}

struct StepWorkload {
  Generator generator{1};
  Recurrent layer;
  Tensor x;
  Tensor y;
  RecurrentStepper stepper;
  RecurrentState state;

  explicit StepWorkload(const RecurrentShape& s)
      : layer({.cell = s.cell, .input_size = s.input, .hidden_size = s.hidden, .num_layers = s.layers}, generator),
        x(uniform({s.batch, s.input}, generator, {.low = -1.0, .high = 1.0})),
        y(zeros({s.batch, s.hidden})),
        stepper(layer, {.batch = s.batch}),
        state(layer.initial_state(s.batch)) {}
};

void steps_of_layer(benchmark::State& state, const RecurrentShape& shape) {
  const NoGrad no_grad;
  StepWorkload w(shape);
  for ([[maybe_unused]] auto _ : state) w.state = w.layer.step(w.x, w.state);
  for (int64_t i = 0; i < state.iterations(); ++i) w.stepper.step_(w.x, w.y);
  // Measured: 2e-7 at most.
  require_close("the output of steps", w.y, select(w.state.h, 1, shape.layers - 1).value(), 3e-6);
}

void steps_in_place(benchmark::State& state, const RecurrentShape& shape) {
  StepWorkload w(shape);
  const auto* x = w.x.data<float>();
  auto* y = w.y.mutable_data_<float>();
  for ([[maybe_unused]] auto _ : state) {
    w.stepper.step_(x, y);
    benchmark::ClobberMemory();
  }
}

void register_steps(const RecurrentShape& shape) {
  const std::string sizes = shape.name();
  benchmark::RegisterBenchmark((sizes + " step()").c_str(), [shape](benchmark::State& state) {
    steps_of_layer(state, shape);
  })->UseRealTime();
  benchmark::RegisterBenchmark((sizes + " step_()").c_str(), [shape](benchmark::State& state) {
    steps_in_place(state, shape);
  })->UseRealTime();
}

[[maybe_unused]] const bool registered = [] {
  for (const RecurrentShape& shape : recurrent_shapes()) {
    benchmark::RegisterBenchmark(shape.name().c_str(),
                                 [shape](benchmark::State& state) { forward_backward(state, shape); })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  }
  for (const RecurrentShape& shape : step_shapes()) register_steps(shape);
  return true;
}();

}  // namespace
}  // namespace gradus::bench

// SPDX-License-Identifier: MIT

// Measures the training of the example's model: embedding 32, hidden 64, vocabulary 20, length 20, batch 32.

#include <benchmark/benchmark.h>

#include <cmath>
#include <string>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/tensor/memory/allocator.hpp>

#include "checks.hpp"
#include "workloads.hpp"

namespace gradus::bench {
namespace {

constexpr uint64_t kSeed = 1;

struct Training {
  Generator generator{kSeed};
  std::vector<SequenceBatch> batches = TrainingWorkload::batches(16, generator);
  Seq2Seq model{TrainingWorkload::model_options(), generator};
  TrainingSteps steps{model};
};

// Compares loss and gradients with those of the same weights in f64. The tests check the f64 ones against finite
// differences.
void check_gradients(Training& training) {
  Generator unused(0);
  Seq2Seq exact(training.model.options(), unused);
  exact.load_state_dict(training.model.state_dict());
  exact.to_(DType::f64);
  const Variable loss = TrainingWorkload::loss(training.model, training.batches[0]);
  const Variable exact_loss = TrainingWorkload::loss(exact, training.batches[0]);
  backward(loss);
  backward(exact_loss);
  // Measured: 1.9e-6 at most.
  constexpr double kTolerance = 3e-5;
  require_close("the loss", loss.value(), exact_loss.value(), kTolerance);
  const std::vector<NamedParameter> parameters = training.model.parameters();
  const std::vector<NamedParameter> exact_parameters = exact.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const std::string what = "the gradient of " + parameters[i].name;
    require_close(what.c_str(), parameters[i].parameter->grad(), exact_parameters[i].parameter->grad(), kTolerance);
    parameters[i].parameter->zero_grad_();
  }
}

void count_tokens(benchmark::State& state) {
  state.counters["tokens/s"] =
      benchmark::Counter(static_cast<double>(TrainingWorkload::kTokens), benchmark::Counter::kIsIterationInvariantRate);
}

const SequenceBatch& turn(const Training& training, int64_t i) {
  return training.batches[static_cast<size_t>(i) % training.batches.size()];
}

void loss_only(benchmark::State& state) {
  Training training;
  check_gradients(training);
  const NoGrad no_grad;
  int64_t i = 0;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(TrainingWorkload::loss(training.model, turn(training, i++)));
  }
  count_tokens(state);
}
BENCHMARK(loss_only)->UseRealTime()->Unit(benchmark::kMicrosecond);

void loss_and_gradients(benchmark::State& state) {
  Training training;
  check_gradients(training);
  const std::vector<NamedParameter> parameters = training.model.parameters();
  int64_t i = 0;
  for ([[maybe_unused]] auto _ : state) {
    backward(TrainingWorkload::loss(training.model, turn(training, i++)));
    for (const NamedParameter& named : parameters) named.parameter->zero_grad_();
  }
  count_tokens(state);
}
BENCHMARK(loss_and_gradients)->UseRealTime()->Unit(benchmark::kMicrosecond);

void training_step(benchmark::State& state) {
  Training training;
  check_gradients(training);
  int64_t i = 0;
  double loss = training.steps.step(turn(training, i++));
  reset_peak_memory();
  const int64_t asked_before = memory_stats().system_allocations;
  for ([[maybe_unused]] auto _ : state) loss = training.steps.step(turn(training, i++));
  const MemoryStats memory = memory_stats();
  GRADUS_CHECK(std::isfinite(loss), "[bench] the loss is ", loss, " after ", i, " steps");
  count_tokens(state);
  state.counters["tensors_MB"] = static_cast<double>(memory.peak_bytes) / 1e6;
  // How often memory was requested from the system. It is 0 once training is under way.
  state.counters["system_allocations"] = static_cast<double>(memory.system_allocations - asked_before);
}
BENCHMARK(training_step)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace gradus::bench

// SPDX-License-Identifier: MIT

// Measures one step of an optimizer on many small and on a few large parameters. of_copy: bytes read and written per
// second, as a share of those of a plain y = 2 x on 32 MiB, in turn with the steps; above 1 where all fits in a cache.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include <gradus/tensor/kernels/elementwise/elementwise.hpp>

#include "checks.hpp"
#include "optimizer_steps.hpp"

namespace gradus::bench {
namespace {

constexpr int64_t kCopied = int64_t{8} << 20;  // elements

template <class Work>
double seconds_of_step(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  benchmark::ClobberMemory();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median_seconds(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Three steps of AdamW with the default options and the same gradient, in f64, one number at a time.
void check_adamw() {
  OptimizerSteps steps({"check", 3, 5});
  std::vector<Tensor> expected;
  for (const NamedParameter& named : steps.named()) {
    Tensor value = named.parameter->value().to(DType::f64).clone();
    for (int64_t i = 0; i < value.numel(); ++i) {
      double& p = value.mutable_data_<double>()[i];
      const double g = static_cast<double>(named.parameter->grad().data<float>()[i]);
      double m = 0.0, v = 0.0;
      for (int t = 1; t <= 3; ++t) {
        p -= 1e-3 * 0.01 * p;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        p -= 1e-3 * m / (1 - std::pow(0.9, t)) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
      }
    }
    expected.push_back(value);
  }
  AdamW adamw(steps.named());
  for (int t = 0; t < 3; ++t) adamw.step();
  for (size_t i = 0; i < expected.size(); ++i) {
    require_close("AdamW", steps.named()[i].parameter->value().to(DType::f64), expected[i], 1e-6);
  }
}

template <class Kind, class Options>
void optimizer_step(benchmark::State& state, const OptimizerWorkload& workload, const Options& options, double arrays) {
  if (first_time("optimizer_step")) check_adamw();
  const OptimizerSteps steps(workload);
  Kind optimizer(steps.named(), options);
  const Tensor x = ones({kCopied});
  Tensor y = zeros({kCopied});
  const auto copy = [&] { kernels::scale(2.0F, x.data<float>(), y.mutable_data_<float>(), kCopied); };
  std::vector<double> own, copied;
  optimizer.step();
  for ([[maybe_unused]] auto _ : state) {
    own.push_back(seconds_of_step([&] { optimizer.step(); }));
    state.SetIterationTime(own.back());
    if (own.size() % 16 == 1) copied.push_back(seconds_of_step(copy));
  }
  const double numbers = static_cast<double>(workload.count * workload.size * workload.size);
  const double speed = 4.0 * arrays * numbers / median_seconds(own);
  state.counters["GB/s"] = speed / 1e9;
  state.counters["of_copy"] = speed / (4.0 * 2.0 * static_cast<double>(kCopied) / median_seconds(copied));
}

[[maybe_unused]] const bool registered = [] {
  for (const OptimizerWorkload& workload : kOptimizerWorkloads) {
    const auto add = [&](const char* name, auto run) {
      benchmark::RegisterBenchmark((std::string(name) + " " + workload.name).c_str(), run)->UseManualTime();
    };
    add("sgd", [workload](benchmark::State& s) {
      optimizer_step<Sgd>(s, workload, SgdOptions{.learning_rate = 1e-3, .momentum = 0.9}, 5);
    });
    add("adamw", [workload](benchmark::State& s) { optimizer_step<AdamW>(s, workload, AdamWOptions{}, 7); });
    add("lion", [workload](benchmark::State& s) { optimizer_step<Lion>(s, workload, LionOptions{}, 5); });
  }
  return true;
}();

}  // namespace
}  // namespace gradus::bench

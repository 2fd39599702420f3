// SPDX-License-Identifier: MIT
// Steps that allocate nothing: their numbers are those of the whole sequence, and they ask nobody for memory.
#include <algorithm>
#include <cstdio>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

#include "tests/nn/recurrent/system_memory.hpp"
#include "tests/support/allocator_mode.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;

namespace {

constexpr int64_t kStepInput = 3, kStepTime = 6;

struct StepVariant {
  const char* name;
  RecurrentOptions options;
};

const StepVariant kStepVariants[] = {{"rnn", {.cell = CellKind::rnn}},
                                     {"rnn, relu", {.cell = CellKind::rnn, .activation = RnnActivation::relu}},
                                     {"gru", {.cell = CellKind::gru}},
                                     {"gru, reset before", {.cell = CellKind::gru, .reset_after = false}},
                                     {"lstm", {.cell = CellKind::lstm, .forget_bias = 1.0}},
                                     {"lstm, a projection", {.cell = CellKind::lstm, .proj_size = 2}}};

RecurrentOptions step_options(const StepVariant& variant, int64_t layers, int64_t hidden, DType dtype) {
  RecurrentOptions options = variant.options;
  options.input_size = kStepInput;
  options.hidden_size = hidden;
  options.num_layers = layers;
  options.dtype = dtype;
  return options;
}

Tensor dense_step(const Tensor& x, int64_t t) { return x.select(1, t).contiguous(); }

// The outputs [B, T, S] of steps.
Tensor by_steps(RecurrentStepper& stepper, const Tensor& x, int64_t state) {
  std::vector<Variable> outputs;
  for (int64_t t = 0; t < x.size(1); ++t) {
    Tensor y = zeros({x.size(0), state}, {.dtype = x.dtype()});
    stepper.step_(dense_step(x, t), y);
    outputs.emplace_back(y);
  }
  return stack(outputs, 1).value();
}

bool same_state(const RecurrentState& a, const RecurrentState& b) {
  return bitwise_equal(a.h.value().contiguous(), b.h.value().contiguous()) &&
         (!a.c.defined() || bitwise_equal(a.c.value().contiguous(), b.c.value().contiguous()));
}

// Forces one instruction set after the other.
template <class Run>
void on_each_target(const Run& run) {
  const std::string before = simd_target();
  for (const char* target : simd_targets()) {
    force_simd_target(target);
    INFO("on " << target);
    run();
  }
  force_simd_target(before.c_str());
}

struct StepCounts {
  int64_t program = 0;  // of the whole program to the C library
  int64_t pool = 0;     // of gradus to the system, which in that mode sees each block
};

template <class Step>
StepCounts requests_of_steps(AllocatorMode mode, int64_t steps, const Step& step) {
  const tests::AllocatorModeScope scope(mode);
  const int64_t program = tests::system_memory_requests(), pool = memory_stats().system_allocations;
  for (int64_t i = 0; i < steps; ++i) step();
  return {tests::system_memory_requests() - program, memory_stats().system_allocations - pool};
}

}  // namespace

TEST_CASE("steps give the bits of the whole sequence, for every cell, depth, batch, width and dtype") {
  const uint64_t seed = tests::seed(71);
  on_each_target([&] {
    for (const StepVariant& variant : kStepVariants) {
      for (const int64_t layers : {1, 3}) {
        for (const int64_t batch : {1, 2, 7, 18}) {
          // With more units, the baseline's products of the whole sequence would be OpenBLAS's.
          for (const int64_t hidden : {4, 11}) {
            for (const DType dtype : {DType::f32, DType::f64}) {
              INFO(variant.name << ", layers " << layers << ", batch " << batch << ", hidden " << hidden << ", "
                                << dtype_name(dtype) << ", seed " << seed);
              Generator generator(seed);
              Recurrent layer(step_options(variant, layers, hidden, dtype), generator);
              const Tensor x = RandomTensors(seed).floating({batch, kStepTime, kStepInput}, dtype);
              const RecurrentOutput whole = layer(x);
              RecurrentStepper stepper(layer, {.batch = batch});
              CHECK(bitwise_equal(by_steps(stepper, x, layer.state_size()), whole.output.value()));
              CHECK(same_state(stepper.state(), {.h = whole.h, .c = whole.c}));
            }
          }
        }
      }
    }
  });
}

TEST_CASE("steps give what step() of the layer gives: to the bit, and for one row nearly") {
  const uint64_t seed = tests::seed(72);
  double worst[2] = {};
  for (const StepVariant& variant : kStepVariants) {
    for (const int64_t batch : {1, 5}) {
      for (const DType dtype : {DType::f32, DType::f64}) {
        INFO(variant.name << ", batch " << batch << ", " << dtype_name(dtype) << ", seed " << seed);
        Generator generator(seed);
        RecurrentOptions options = step_options(variant, 2, 16, dtype);
        options.input_size = 16;
        Recurrent layer(options, generator);
        const Tensor x = RandomTensors(seed).floating({batch, 50, 16}, dtype);
        RecurrentStepper stepper(layer, {.batch = batch});
        RecurrentState state = layer.initial_state(batch);
        Tensor y = zeros({batch, layer.state_size()}, {.dtype = dtype});
        for (int64_t t = 0; t < x.size(1); ++t) {
          state = layer.step(x.select(1, t), state);
          stepper.step_(dense_step(x, t), y);
          const double error = largest_error(state.h.value().select(1, 1), y);
          // A single row takes another product in step(), which adds in another order. Measured over four seeds: at
          // most 2.4e-7 in f32 and 4.4e-16 in f64.
          if (batch > 1) CHECK(same_state(stepper.state(), state));
          CHECK(error < (dtype == DType::f32 ? 3e-6 : 1e-14));
          double& most = worst[dtype == DType::f32 ? 0 : 1];
          most = std::max(most, error);
        }
      }
    }
  }
  std::printf("steps of one row against step(): %.2g in f32, %.2g in f64\n", worst[0], worst[1]);
}

TEST_CASE("1,000 steps ask neither the system nor the allocator for memory") {
  for (const StepVariant& variant : kStepVariants) {
    for (const int64_t layers : {1, 3}) {
      for (const int64_t batch : {1, 40}) {
        INFO(variant.name << ", layers " << layers << ", batch " << batch);
        Generator generator(73);
        Recurrent layer(step_options(variant, layers, 16, DType::f32), generator);
        RecurrentStepper stepper(layer, {.batch = batch});
        const Tensor x = uniform({batch, kStepInput}, generator);
        Tensor y = zeros({batch, layer.state_size()});
        const std::vector<float> in(static_cast<size_t>(x.numel()), 0.5f);
        std::vector<float> out(static_cast<size_t>(y.numel()));
        const RecurrentState given = stepper.state();
        for (const AllocatorMode mode : {AllocatorMode::system, AllocatorMode::caching}) {
          const StepCounts counts = requests_of_steps(mode, 1000, [&] {
            stepper.step_(x, y);
            stepper.step_(in.data(), out.data());
          });
          CHECK(counts.program == 0);
          CHECK(counts.pool == 0);
          const StepCounts between = requests_of_steps(mode, 10, [&] {
            stepper.reset_();
            stepper.set_state_(given);
            stepper.reload_(layer);
          });
          CHECK(between.program == 0);
          CHECK(between.pool == 0);
        }
        // The counters count: step() of the layer makes tensors.
        RecurrentState state = layer.initial_state(batch);
        const StepCounts plain = requests_of_steps(AllocatorMode::system, 1, [&] { state = layer.step(x, state); });
        CHECK(plain.pool > 0);
        if (tests::system_memory_requests() >= 0) CHECK(plain.program >= plain.pool);
      }
    }
  }
}

TEST_CASE("a stepper keeps its weights until reload_, and its state then") {
  const uint64_t seed = tests::seed(74);
  INFO("seed " << seed);
  for (const StepVariant& variant : kStepVariants) {
    INFO(variant.name);
    Generator generator(seed);
    Recurrent layer(step_options(variant, 2, 5, DType::f32), generator);
    Recurrent other(step_options(variant, 2, 5, DType::f32), generator);
    const Tensor x = RandomTensors(seed).floating({2, kStepTime, kStepInput}, DType::f32);
    RecurrentStepper stepper(layer, {.batch = 2});
    const Tensor before = by_steps(stepper, x, layer.state_size());
    layer.load_state_dict(other.state_dict());
    stepper.reset_();
    CHECK(bitwise_equal(by_steps(stepper, x, layer.state_size()), before));
    const RecurrentState kept = stepper.state();
    stepper.reload_(layer);
    CHECK(same_state(stepper.state(), kept));
    const RecurrentOutput next = layer(x, {.h0 = kept.h, .c0 = kept.c});
    CHECK(bitwise_equal(by_steps(stepper, x, layer.state_size()), next.output.value()));
  }
}

TEST_CASE("a stepper goes on from a given state, in another stepper and after a move") {
  const uint64_t seed = tests::seed(75);
  INFO("seed " << seed);
  for (const StepVariant& variant : kStepVariants) {
    INFO(variant.name);
    Generator generator(seed);
    Recurrent layer(step_options(variant, 2, 5, DType::f64), generator);
    const Tensor x = RandomTensors(seed).floating({2, 2 * kStepTime, kStepInput});
    const Tensor whole = layer(x).output.value();
    RecurrentStepper first(layer, {.batch = 2});
    RecurrentStepper second(layer, {.batch = 2});
    (void)by_steps(first, x.slice(1, 0, kStepTime), layer.state_size());
    second.set_state_(first.state());
    RecurrentStepper moved(std::move(second));
    CHECK(bitwise_equal(by_steps(moved, x.slice(1, kStepTime), layer.state_size()),
                        whole.slice(1, kStepTime).contiguous()));
  }
  Generator generator(seed);
  // The output may take the place of the input.
  Gru square({.input_size = 3, .hidden_size = 3}, generator);
  RecurrentStepper apart(square), in_place(square);
  Tensor x = uniform({1, 3}, generator), y = zeros({1, 3});
  apart.step_(x, y);
  in_place.step_(x, x);
  CHECK(bitwise_equal(x, y));
}

TEST_CASE("a stepper says what does not fit, and then changes nothing") {
  Generator generator(76);
  Gru gru({.input_size = 3, .hidden_size = 4}, generator);
  Gru both({.input_size = 3, .hidden_size = 4, .bidirectional = true}, generator);
  CHECK_THROWS_WITH(RecurrentStepper(both), "[RecurrentStepper] a bidirectional gru cannot go step by step");
  CHECK_THROWS_WITH(RecurrentStepper(gru, {.batch = 0}), "[RecurrentStepper] expected batch >= 1, got 0");
  CHECK_THROWS_WITH(RecurrentStepper(gru, {.batch = int64_t{1} << 40}),
                    "[RecurrentStepper] expected batch of at most 2147483647, got 1099511627776");
  RecurrentStepper stepper(gru, {.batch = 2});
  Tensor y = zeros({2, 4});
  const Tensor x = ones({2, 3});
  stepper.step_(x, y);
  const RecurrentState before = stepper.state();
  CHECK_THROWS_WITH(stepper.step_(ones({1, 3}), y), "[step_] wrong x: expected f32 [2, 3], got f32 [1, 3]");
  CHECK_THROWS_WITH(stepper.step_(Tensor(), y), "[step_] wrong x: expected f32 [2, 3], got no tensor");
  CHECK_THROWS_WITH(stepper.step_(ones({2, 3}, {.dtype = DType::f64}), y),
                    "[step_] wrong x: expected f32 [2, 3], got f64 [2, 3]");
  CHECK_THROWS_WITH(stepper.step_(ones({3, 2}).transpose(0, 1), y),
                    "[step_] wrong x: expected a dense tensor, got f32 [2, 3] with strides");
  Tensor narrow_y = zeros({2, 3});
  CHECK_THROWS_WITH(stepper.step_(x, narrow_y), "[step_] wrong y: expected f32 [2, 4], got f32 [2, 3]");
  const double wide[6] = {};
  double wide_y[8] = {};
  CHECK_THROWS_WITH(stepper.step_(wide, wide_y), "[step_] wrong dtype: expected f32, got f64");
  CHECK_THROWS_WITH(stepper.set_state_({.h = zeros({2, 4}), .c = {}}),
                    "[set_state_] wrong h: expected f32 [2, 1, 4], got f32 [2, 4]");
  CHECK_THROWS_WITH(stepper.set_state_({.h = zeros({2, 1, 4}), .c = zeros({2, 1, 4})}),
                    "[set_state_] expected no c, because a gru has no cell state, got f32 [2, 1, 4]");
  Lstm lstm({.input_size = 3, .hidden_size = 4}, generator);
  CHECK_THROWS_WITH(stepper.reload_(lstm),
                    "[reload_] the layer has other options than the first one: expected gru of input_size 3, "
                    "hidden_size 4, num_layers 1, proj_size 0 in f32, got lstm of input_size 3, hidden_size 4, "
                    "num_layers 1, proj_size 0 in f32");
  CHECK_THROWS_WITH(stepper.reload_(both), tests::contains_text("got bidirectional gru of input_size 3"));
  CHECK(same_state(stepper.state(), before));
  RecurrentStepper with_cell(lstm);
  CHECK_THROWS_WITH(with_cell.set_state_({.h = zeros({1, 1, 4}), .c = {}}),
                    "[set_state_] wrong c: expected f32 [1, 1, 4], got no tensor");
}

TEST_CASE("a stepper refuses weights that were packed for another instruction set") {
  const bool has_another = simd_targets().size() > 1;
  const std::string before = simd_target();
  Generator generator(77);
  Gru gru({.input_size = 3, .hidden_size = 4}, generator);
  force_simd_target(simd_targets().back());
  RecurrentStepper stepper(gru);
  force_simd_target(simd_targets().front());
  const Tensor x = ones({1, 3});
  Tensor y = zeros({1, 4});
  if (has_another) {
    CHECK_THROWS_WITH(stepper.step_(x, y),
                      "[step_] the instruction set was changed after the weights were packed: expected a call of "
                      "reload_");
  }
  stepper.reload_(gru);
  stepper.step_(x, y);
  CHECK(bitwise_equal(y.contiguous(), gru(ones({1, 2, 3})).output.value().select(1, 0).contiguous()));
  force_simd_target(before.c_str());
}

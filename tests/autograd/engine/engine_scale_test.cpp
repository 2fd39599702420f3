// SPDX-License-Identifier: MIT
// Large graphs, several threads, memory.
#include <pthread.h>

#include <chrono>
#include <iostream>
#include <thread>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/node.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/memory/allocator.hpp>

#include "tests/support/allocator_mode.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

Tensor draw(const Shape& shape, uint64_t seed, DType dtype = DType::f64) {
  return detail::RandomTensors(tests::seed(seed)).floating(shape, dtype);
}

struct ChainTimes {
  int64_t length = 0;
  double gradient = 0.0;
  double backward_seconds = 0.0;
  double free_seconds = 0.0;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void run_chain(ChainTimes& times) {
  const Variable x = leaf(scalar(0.5, {.dtype = DType::f64}));
  Variable y = x;
  for (int64_t i = 0; i < times.length; ++i) y = affine(y, i % 2 == 0 ? 2.0 : 0.5, 0.0);
  auto start = std::chrono::steady_clock::now();
  times.gradient = grad({y}, {x}, {.retain_graph = true})[0].item<double>();
  times.backward_seconds = seconds_since(start);
  start = std::chrono::steady_clock::now();
  y = Variable();
  times.free_seconds = seconds_since(start);
}

// Runs on a thread whose stack is too small for a million frames, even of the smallest function.
void on_small_stack(ChainTimes& times) {
  constexpr size_t kStackBytes = 256 * 1024;
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, kStackBytes) == 0);
  pthread_t thread;
  const auto body = [](void* argument) -> void* {
    run_chain(*static_cast<ChainTimes*>(argument));
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, &attributes, body, &times) == 0);
  REQUIRE(pthread_join(thread, nullptr) == 0);
  pthread_attr_destroy(&attributes);
}

}  // namespace

TEST_CASE("a chain of a million ops runs backward and is freed on a stack of 256 KiB, in linear time") {
  ChainTimes small{.length = 100'000};
  ChainTimes large{.length = 1'000'000};
  on_small_stack(small);
  on_small_stack(large);
  CHECK(small.gradient == 1.0);
  CHECK(large.gradient == 1.0);
  // The graph has ten times as many nodes. A quadratic walk would take a hundred times as long.
  CHECK(large.backward_seconds < 40 * small.backward_seconds + 0.2);
  CHECK(large.free_seconds < 40 * small.free_seconds + 0.2);
  std::cout << "engine: a chain of 1,000,000 ops: backward " << large.backward_seconds * 1e3 << " ns per op, freed in "
            << large.free_seconds * 1e3 << " ns per op\n";
}

TEST_CASE("a recorded second derivative of a long chain is walked without recursion too") {
  struct Result {
    double second = 0.0;
  } result;
  const auto body = [](void* argument) -> void* {
    const Variable x = leaf(scalar(1.0, {.dtype = DType::f64}));
    Variable y = x * x;
    for (int i = 0; i < 50'000; ++i) y = y + 1.0;
    const Variable first = grad({y}, {x}, {.create_graph = true})[0];
    static_cast<Result*>(argument)->second = grad({first}, {x})[0].item<double>();
    return nullptr;
  };
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, 256 * 1024) == 0);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attributes, body, &result) == 0);
  REQUIRE(pthread_join(thread, nullptr) == 0);
  CHECK(result.second == 2.0);
}

TEST_CASE("a diamond of depth 40 visits each node once") {
  const Variable x = leaf(scalar(1.0, {.dtype = DType::f64}));
  Variable y = x;
  for (int i = 0; i < 40; ++i) y = y + y;
  int64_t stated = 0;
  const VjpFilter filter{[](void* state, const OpDef&, VjpValue what, int, Variable&) {
                           if (what == VjpValue::gradient) ++*static_cast<int64_t*>(state);
                         },
                         &stated};
  context().vjp_filter = &filter;
  const Variable gradient = grad({y}, {x})[0];
  context().vjp_filter = nullptr;
  CHECK(gradient.item<double>() == 0x1p40);
  CHECK(stated == 80);  // two gradients for each of 40 nodes; a walk along paths would state 2^41
}

TEST_CASE("gradients have the same bits in every run") {
  const Tensor w = draw({5, 5}, 1);
  const auto run = [&] {
    const Variable leaf_w = leaf(w);
    Variable h = tanh(leaf_w);
    for (int i = 0; i < 5; ++i) h = tanh(matmul(h, leaf_w) + h);
    return grad({sum(h)}, {leaf_w})[0].value();
  };
  const Tensor first = run();
  for (int i = 0; i < 3; ++i) CHECK(bitwise_equal(run(), first));
}

TEST_CASE("threads differentiate graphs of their own over shared parameters") {
  Parameter w(draw({16, 16}, 1));
  Parameter b(draw({16}, 2));
  const auto gradients = [&](uint64_t seed) {
    const Tensor x = draw({8, 16}, seed);
    const Variable loss = sum(square(tanh(linear(x, w, b))));
    return grad({loss}, {w, b});
  };
  constexpr int kThreads = 4;
  constexpr int kRounds = 50;
  std::vector<std::vector<Variable>> expected;
  for (int t = 0; t < kThreads; ++t) expected.push_back(gradients(static_cast<uint64_t>(t)));
  std::vector<int> wrong(kThreads, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const auto at = static_cast<size_t>(t);
      for (int round = 0; round < kRounds; ++round) {
        const std::vector<Variable> got = gradients(static_cast<uint64_t>(t));
        for (size_t i = 0; i < 2; ++i) {
          if (!bitwise_equal(got[i].value(), expected[at][i].value())) ++wrong[at];
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int count : wrong) CHECK(count == 0);
  CHECK(!w.grad().defined());
}

TEST_CASE("a graph may cross threads, and the order of its nodes does not depend on their timing") {
  const Tensor value = draw({4}, 1);
  const auto build = [&](bool on_threads) {
    const Variable x = leaf(value);
    Variable left;
    Variable right;
    const auto make_left = [&] {
      left = x;
      for (int i = 0; i < 100; ++i) left = tanh(left + x);
    };
    const auto make_right = [&] { right = sigmoid(x * x); };
    if (on_threads) {
      std::thread a(make_left);
      std::thread b(make_right);
      a.join();
      b.join();
    } else {
      make_left();
      make_right();
    }
    const Variable joined = left * right;
    CHECK(joined.node()->sequence > left.node()->sequence);
    CHECK(joined.node()->sequence > right.node()->sequence);
    return grad({sum(joined + x)}, {x})[0].value();
  };
  const Tensor first = build(true);
  for (int i = 0; i < 20; ++i) CHECK(bitwise_equal(build(true), first));
  // On one thread the nodes have other numbers, so the same terms are added in another order.
  CHECK(largest_error(build(false), first) < 1e-14);
}

TEST_CASE("what a vjp has read is freed as backward goes on") {
  constexpr int64_t kElements = 1 << 18;  // 1 MiB in f32
  constexpr int kLayers = 32;
  const auto run = [&] {
    const Variable x = leaf(draw({kElements}, 1, DType::f32));
    Variable y = x;
    for (int i = 0; i < kLayers; ++i) y = tanh(y);
    const Variable loss = sum(y);
    y = Variable();
    const int64_t before = memory_stats().live_bytes;
    reset_peak_memory();
    const Variable gradient = grad({loss}, {x})[0];
    const MemoryStats after = memory_stats();
    // In the backward, only one cotangent exists besides the values that are not yet freed.
    CHECK(after.peak_bytes - before <= 4 * kElements * 4);
    CHECK(before - after.live_bytes >= (kLayers - 3) * kElements * 4);
  };
  run();
}

TEST_CASE("relu between two linear layers keeps one array, which the second layer keeps too") {
  constexpr int64_t kRows = 512, kUnits = 512;
  const Variable x = leaf(draw({kRows, 8}, 1, DType::f32)), first = leaf(draw({kUnits, 8}, 2, DType::f32));
  const Variable second = leaf(draw({8, kUnits}, 3, DType::f32));
  const int64_t before = memory_stats().live_bytes;
  const Variable y = linear(relu(linear(x, first)), second);
  CHECK(memory_stats().live_bytes - before < 3 * kRows * kUnits * 4 / 2);
}

TEST_CASE("a step of training in its steady state asks the system for no memory") {
  Parameter w(draw({32, 32}, 1, DType::f32));
  Parameter b(draw({32}, 2, DType::f32));
  const Tensor x = draw({16, 32}, 3, DType::f32);
  const auto step = [&] {
    w.zero_grad_();
    b.zero_grad_();
    Variable h = x;
    for (int i = 0; i < 4; ++i) h = tanh(linear(h, w, b));
    backward(sum(square(h)));
    w.mutable_value_().add_(w.grad(), -1e-3);
    b.mutable_value_().add_(b.grad(), -1e-3);
  };
  const tests::AllocatorModeScope caching(AllocatorMode::caching);
  for (int i = 0; i < 20; ++i) step();
  const int64_t allocations = memory_stats().system_allocations;
  const int64_t live = memory_stats().live_bytes;
  for (int i = 0; i < 200; ++i) step();
  CHECK(memory_stats().system_allocations == allocations);
  CHECK(std::abs(memory_stats().live_bytes - live) <= 64 * 1024);
}

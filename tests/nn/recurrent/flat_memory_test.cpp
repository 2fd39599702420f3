// SPDX-License-Identifier: MIT
// Training on sequences of random lengths and batch sizes: memory stays flat.
//   GRADUS_TEST_STEPS=10000 build/release/bin/nn_tests --filenames-as-tags "[#flat_memory_test]"
// trains longer and prints the resident memory.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

#include "tests/support/allocator_mode.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

constexpr int64_t kLongest = 12, kMostRows = 6, kFlatInput = 8;

// Kilobytes; 0 where Linux's files are missing.
int64_t resident_kilobytes() {
  std::FILE* file = std::fopen("/proc/self/status", "r");
  if (file == nullptr) return 0;
  long long found = 0;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::sscanf(line, "VmRSS: %lld", &found) == 1) break;
  }
  std::fclose(file);
  return found;
}

int64_t step_count() {
  const char* given = std::getenv("GRADUS_TEST_STEPS");
  return given != nullptr ? std::atoll(given) : 300;
}

// Three layers, each trained by itself.
class Trainings {
 public:
  explicit Trainings(uint64_t seed) : random_(seed) {
    for (const CellKind cell : {CellKind::rnn, CellKind::gru, CellKind::lstm}) {
      layers_.push_back(detail::build<Recurrent>(
          {.cell = cell, .input_size = kFlatInput, .hidden_size = 24, .num_layers = 2}, random_));
    }
  }

  // Rows of the lengths T, T - 1, ...
  void step(int64_t time, int64_t rows) {
    Tensor lengths = zeros({rows}, {.dtype = DType::i64});
    for (int64_t row = 0; row < rows; ++row) lengths.mutable_data_<int64_t>()[row] = std::max<int64_t>(time - row, 0);
    step(time, rows, lengths);
  }
  void step(int64_t time, int64_t rows, const Tensor& lengths) {
    const Tensor x = uniform({rows, time, kFlatInput}, random_, {.low = -1.0});
    for (const Owned<Recurrent>& layer : layers_) {
      backward(mean(square((*layer)(x, {.lengths = lengths}).output)));
      for (const NamedParameter& named : layer->parameters()) {
        named.parameter->mutable_value_().add_(named.parameter->grad(), -0.1);
        named.parameter->zero_grad_();
      }
    }
  }

  void random_step() { step(draw(kLongest), draw(kMostRows)); }
  void step_of_random_lengths() {
    const int64_t time = draw(kLongest), rows = draw(kMostRows);
    step(time, rows, randint({rows}, random_, {.low = 0, .high = time + 1}));
  }

 private:
  int64_t draw(int64_t most) { return randint({1}, random_, {.low = 1, .high = most + 1}).data<int64_t>()[0]; }

  Generator random_;
  std::vector<Owned<Recurrent>> layers_;
};

}  // namespace

TEST_CASE("training on random numbers of steps and rows asks the system for nothing, and memory stays flat") {
  const uint64_t seed = tests::seed(91);
  INFO("seed " << seed);
  const tests::AllocatorModeScope caching(AllocatorMode::caching);
  Trainings trainings(seed);
  // A block serves one size of a request, so each shape must have been seen once.
  for (int64_t time = kLongest; time > 0; --time) {
    for (int64_t rows = kMostRows; rows > 0; --rows) trainings.step(time, rows);
  }
  const int64_t steps = step_count();
  const MemoryStats before = memory_stats();
  const int64_t resident = resident_kilobytes();
  for (int64_t i = 1; i <= steps; ++i) {
    trainings.random_step();
    if (i == 1000 || i == 10000) {
      std::printf("step %lld: %lld KB resident, %lld requests to the system\n", static_cast<long long>(i),
                  static_cast<long long>(resident_kilobytes()),
                  static_cast<long long>(memory_stats().system_allocations - before.system_allocations));
    }
  }
  CHECK(memory_stats().system_allocations == before.system_allocations);
  CHECK(std::llabs(memory_stats().live_bytes - before.live_bytes) <= 64 << 10);
  // The C library may keep a page more.
  if (!tests::kSanitized) CHECK(resident_kilobytes() - resident <= 512);
}

TEST_CASE("after a step of the largest shape, the smaller shapes of a long training ask for little more") {
  const uint64_t seed = tests::seed(92);
  INFO("seed " << seed);
  const tests::AllocatorModeScope caching(AllocatorMode::caching);
  Trainings trainings(seed);
  trainings.step(kLongest, kMostRows);
  const MemoryStats before = memory_stats();
  reset_peak_memory();
  trainings.step(kLongest, kMostRows);
  const int64_t largest = memory_stats().peak_bytes;
  for (int i = 0; i < 200; ++i) trainings.step_of_random_lengths();
  CHECK(memory_stats().peak_bytes <= largest + (64 << 10));
  INFO("requests of the smaller shapes: " << memory_stats().system_allocations - before.system_allocations);
  // Blocks are kept by size class, four for each doubling: 10 doublings of at most 60 live blocks each.
  CHECK(memory_stats().system_allocations - before.system_allocations <= 600);
}

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/optim/optimizer.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"

// What the tests of optimizers share.

namespace gradus::tests {

inline constexpr int64_t kCount = 37;  // no multiple of a vector

// Two parameters and the same random gradients for every run of one seed.
struct Problem {
  explicit Problem(uint64_t seed, DType dtype = DType::f64) : random(seed) {
    first.reset_(random.floating({kCount}, dtype));
    second.reset_(random.floating({2, 3}, dtype));
  }
  std::vector<NamedParameter> parameters() { return {{"net.first", &first}, {"net.second", &second}}; }
  void draw() {
    for (Parameter* parameter : {&first, &second}) {
      parameter->set_grad_(random.floating(parameter->shape(), parameter->variable().dtype()));
    }
  }
  detail::RandomTensors random;
  Parameter first;
  Parameter second;
};

// Runs an optimizer and the scalar update in parallel, and compares each element of each parameter.
template <class Update>
double error_after(int steps, Problem& problem, Optimizer& optimizer, const Update& update) {
  struct Memory {
    double p, a = 0.0, b = 0.0;
  };
  std::vector<Memory> scalars;
  const Tensor start = problem.first.value().to(DType::f64);
  for (int64_t i = 0; i < kCount; ++i) scalars.push_back({start.at({i})});
  for (int t = 1; t <= steps; ++t) {
    problem.draw();
    for (int64_t i = 0; i < kCount; ++i) {
      Memory& m = scalars[static_cast<size_t>(i)];
      update(m.p, problem.first.grad().at({i}), m.a, m.b, t);
    }
    optimizer.step();
  }
  double worst = 0.0;
  for (int64_t i = 0; i < kCount; ++i) {
    worst = std::max(worst, std::abs(problem.first.value().at({i}) - scalars[static_cast<size_t>(i)].p));
  }
  return worst;
}

inline std::vector<Tensor> values_of(Problem& problem) {
  return {problem.first.value().clone(), problem.second.value().clone()};
}

inline bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return bitwise_equal(a[0], b[0]) && bitwise_equal(a[1], b[1]);
}

inline void run_steps(Problem& problem, Optimizer& optimizer, int from, int to) {
  for (int t = from; t < to; ++t) {
    if (t == 5) optimizer.set_learning_rate(0.003);
    problem.draw();
    optimizer.step();
  }
}

// Twenty steps without a break, and with the state saved after nine and loaded into a new optimizer.
template <class Make>
void check_resume(uint64_t seed, DType dtype, const Make& make) {
  Problem whole(seed, dtype);
  auto single = make(whole.parameters());
  run_steps(whole, single, 0, 20);
  Problem cut(seed, dtype);
  auto before = make(cut.parameters());
  run_steps(cut, before, 0, 9);
  auto after = make(cut.parameters());
  after.load_state_dict(before.state_dict());
  CHECK(after.steps() == 9);
  CHECK(after.learning_rate() == 0.003);
  run_steps(cut, after, 9, 20);
  CHECK(same_bits(values_of(whole), values_of(cut)));
  // Without its state, an optimizer that has one would give other values.
  Problem forgetful(seed, dtype);
  auto first = make(forgetful.parameters());
  run_steps(forgetful, first, 0, 9);
  auto second = make(forgetful.parameters());
  second.set_learning_rate(0.003);
  run_steps(forgetful, second, 9, 20);
  CHECK(same_bits(values_of(whole), values_of(forgetful)) == (before.state_dict().size() == 4));
}

template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace gradus::tests

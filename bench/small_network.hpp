// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/nn/linear.hpp>
#include <gradus/optim/adam.hpp>

namespace gradus::bench {

/// A network so small that only the framework costs time: 2-16-16-1 with tanh, one example a step, squared error, Adam.
/// The examples are learned in turn, one in each step.
class SmallNetwork : public Module {
 public:
  static constexpr int64_t kExamples = 16;

  explicit SmallNetwork(Generator& generator);
  /// x [1, 2] -> [1, 1].
  Variable operator()(const Variable& x);
  /// Runs one full step: forward, backward, Adam. Returns the loss before it.
  Variable step();

  const Tensor& inputs() const noexcept { return inputs_; }    ///< f32 [kExamples, 1, 2]
  const Tensor& targets() const noexcept { return targets_; }  ///< f32 [kExamples, 1, 1]
  void set_examples_(const Tensor& inputs, const Tensor& targets);

 private:
  Linear first_, second_, third_;
  Adam optimizer_;
  Tensor inputs_, targets_;
  std::vector<Variable> each_input_, each_target_;
  size_t next_ = 0;
};

}  // namespace gradus::bench

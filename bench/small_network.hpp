// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/nn/layers.hpp>
#include <gradus/optim/optimizer.hpp>

namespace gradus::bench {

/// A network so small that only the framework costs time: 2-16-16-1 with tanh, one example a step, squared error, Adam.
/// The examples are learned in turn, one in each step.
class SmallNetwork : public Layer<SmallNetwork> {
 public:
  static constexpr int64_t kExamples = 16;

  explicit SmallNetwork(const Place& place);
  /// x [1, 2] -> [1, 1].
  Variable forward(const Variable& x);
  /// Runs one full step: forward, backward, Adam. Returns the loss before it.
  Variable step();

  const Tensor& inputs() const noexcept { return inputs_; }    ///< f32 [kExamples, 1, 2]
  const Tensor& targets() const noexcept { return targets_; }  ///< f32 [kExamples, 1, 1]
  void set_examples_(const Tensor& inputs, const Tensor& targets);

 private:
  static constexpr int64_t kHidden = 16;

  Linear first_{{.input_size = 2, .output_size = kHidden}, child("first")};
  Linear second_{{.input_size = kHidden, .output_size = kHidden}, child("second")};
  Linear third_{{.input_size = kHidden, .output_size = 1}, child("third")};
  Adam optimizer_{parameters(), {.learning_rate = 1e-3}};
  Tensor inputs_, targets_;
  std::vector<Variable> each_input_, each_target_;
  size_t next_ = 0;
};

}  // namespace gradus::bench

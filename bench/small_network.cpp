// SPDX-License-Identifier: MIT
#include "small_network.hpp"

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/losses/losses.hpp>

namespace gradus::bench {

SmallNetwork::SmallNetwork(const Place& place) : Layer(place) {
  const UniformOptions range{.low = -1.0, .high = 1.0};
  set_examples_(uniform({kExamples, 1, 2}, generator(), range), uniform({kExamples, 1, 1}, generator(), range));
}

void SmallNetwork::set_examples_(const Tensor& inputs, const Tensor& targets) {
  inputs_ = inputs;
  targets_ = targets;
  each_input_.clear();
  each_target_.clear();
  for (int64_t i = 0; i < kExamples; ++i) {
    each_input_.push_back(inputs.select(0, i));
    each_target_.push_back(targets.select(0, i));
  }
}

Variable SmallNetwork::forward(const Variable& x) { return third_(tanh(second_(tanh(first_(x))))); }

Variable SmallNetwork::step() {
  const size_t i = next_++ % each_input_.size();
  Variable loss = mse_loss((*this)(each_input_[i]), each_target_[i]);
  optimizer_.zero_grad();
  backward(loss);
  optimizer_.step();
  return loss;
}

}  // namespace gradus::bench

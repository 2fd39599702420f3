// SPDX-License-Identifier: MIT
#include <gradus/nn/layers.hpp>

namespace gradus {

Sequential::Sequential(const std::vector<Step>& steps, const Place& place) : Layer(steps, place) {
  for (const Step& step : steps) {
    steps_.push_back(step.build_(child(step.name_.empty() ? std::to_string(steps_.size()) : step.name_)));
  }
}

Variable Sequential::forward(const Variable& x) {
  Variable value = x;
  for (const Owned<detail::SequentialStep>& step : steps_) value = step->call(value);
  return value;
}

}  // namespace gradus

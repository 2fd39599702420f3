// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/nn/module.hpp>

namespace gradus::detail {

/// The parameters of a module, as they were when this was made. A checkpoint runs the module again in the backward, and
/// a ParameterBinding of the first run may have ended before then.
class BoundParameters {
 public:
  explicit BoundParameters(Module& module) {
    for (const NamedParameter& named : module.parameters()) {
      parameters_.push_back(named.parameter);
      values_.push_back(named.parameter->variable());
    }
  }

  /// Returns run(), in which the module has these parameters.
  template <class Run>
  auto during(const Run& run) const {
    std::vector<Owned<ParameterBinding>> bindings;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      // Nothing is written as long as nothing differs: other threads may read the module.
      if (same(parameters_[i]->variable(), values_[i])) continue;
      bindings.emplace_back(new ParameterBinding(*parameters_[i], values_[i]));
    }
    return run();
  }

 private:
  static bool same(const Variable& a, const Variable& b) {
    return a.node().get() == b.node().get() && a.output() == b.output() &&
           a.value().storage().data() == b.value().storage().data();
  }

  std::vector<Parameter*> parameters_;
  std::vector<Variable> values_;
};

}  // namespace gradus::detail

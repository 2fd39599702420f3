// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/nn/check/layer_list.hpp>

namespace gradus::mutants {

using Values = std::vector<Variable>;

/// A function with inputs. A mutant may change its derivatives.
class Case {
 public:
  virtual ~Case() = default;
  virtual const std::vector<NamedInput>& inputs() const = 0;
  virtual Values operator()(const Values& inputs) const = 0;

  std::string name;
  /// "op", "layer" (the library's list) or "held-out".
  std::string set;
  /// The highest order of derivatives that is promised.
  int order = 2;
  uint64_t seed = 1;
};

using Cases = std::vector<std::unique_ptr<Case>>;

/// Every example of every op that can be compared with differences, and for each op one example with zeros in its
/// inputs.
Cases op_cases();
/// The library's list of layers, drawn with seed 1.
Cases layer_cases();
/// Layers that the classifier of gradients was not tuned on, drawn with seeds 101 and 102.
Cases held_out_cases();

/// A layer and its sample inputs, as a function of these inputs and of all parameters.
std::unique_ptr<Case> case_of(Owned<LayerSample> sample, const std::string& name, const std::string& set,
                              uint64_t seed);

}  // namespace gradus::mutants

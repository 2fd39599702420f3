// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/nn/module.hpp>

namespace gradus {

/// A layer with sample inputs, as a function of the inputs that are differentiated, states included. Lengths, masks and
/// indices are fixed inside it.
class GRADUS_API LayerSample {
 public:
  LayerSample() = default;
  LayerSample(const LayerSample&) = delete;
  LayerSample& operator=(const LayerSample&) = delete;
  virtual ~LayerSample();
  virtual Module& module() = 0;
  /// f64, drawn when the sample was made. They have a `keep` where lengths or masks block some elements.
  virtual const std::vector<NamedInput>& inputs() const = 0;
  /// The parameters of which some elements are not used.
  virtual const std::vector<InputKeep>& keep() const = 0;
  /// All outputs that carry a derivative.
  virtual std::vector<Variable> run(const std::vector<Variable>& inputs) = 0;
};

/// One layer in one configuration.
struct LayerCase {
  const char* name;
  /// An f64 instance; all its random numbers come from `generator`.
  Owned<LayerSample> (*make)(Generator& generator);
};

/// Every layer of the library, in the configurations that the tests check. The list is explicit, like that of the ops.
GRADUS_API std::span<const LayerCase> all_layers();

}  // namespace gradus

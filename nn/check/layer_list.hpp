// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/nn/module.hpp>

namespace gradus {

/// A layer with sample inputs, as a function of those that are differentiated (states among them); lengths, masks and
/// indices are inside.
class GRADUS_API LayerSample {
 public:
  LayerSample() = default;
  LayerSample(const LayerSample&) = delete;
  LayerSample& operator=(const LayerSample&) = delete;
  virtual ~LayerSample();
  virtual Module& module() = 0;
  /// f64, drawn when the sample was made; with `keep` where lengths or masks block some of it.
  virtual const std::vector<NamedInput>& inputs() const = 0;
  /// The parameters of which some elements are not used.
  virtual const std::vector<InputKeep>& keep() const = 0;
  /// All outputs that carry a derivative.
  virtual std::vector<Variable> run(const std::vector<Variable>& inputs) = 0;
};

/// One layer in one configuration.
struct LayerCase {
  const char* name;
  /// An f64 instance; everything is drawn from `generator`.
  Owned<LayerSample> (*make)(Generator& generator);
};

/// Every layer of the library in the configurations that tests hold to its promises. An explicit list, as for ops.
GRADUS_API std::span<const LayerCase> all_layers();

}  // namespace gradus

// SPDX-License-Identifier: MIT
// Dropout as a layer.
#pragma once

#include <gradus/nn/module.hpp>

namespace gradus {

struct DropoutOptions {
  double p = 0.5;
};

/// In training mode each element is 0 with probability p, else divided by 1 - p (Srivastava et al. 2014); in
/// evaluation, and with p = 0, x itself. Owns a random stream, split from the given generator, which each call in
/// training mode advances by one draw an element; it is saved with state_dict({.generators = true}). Requires 0 <= p
/// < 1.
class GRADUS_API Dropout : public Layer<Dropout> {
 public:
  Dropout(const DropoutOptions& options, Generator& generator);
  const DropoutOptions& options() const noexcept { return options_; }
  Variable forward(const Variable& x);

 private:
  DropoutOptions options_;
  Generator generator_;
};

}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <gradus/nn/dropout.hpp>

#include <gradus/autograd/ops/neural/neural.hpp>

namespace gradus {

Dropout::Dropout(const DropoutOptions& options, Generator& generator)
    : Layer("dropout"), options_(options), generator_(generator.split()) {
  GRADUS_CHECK(options.p >= 0.0 && options.p < 1.0, "[dropout] expected 0 <= p < 1, got ", options.p);
  register_generator("generator", generator_);
}

Variable Dropout::forward(const Variable& x) {
  if (!training() || options_.p == 0.0) return x;
  return dropout(x, options_.p, generator_.reserve(x.numel()));
}

}  // namespace gradus

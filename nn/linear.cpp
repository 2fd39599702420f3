// SPDX-License-Identifier: MIT
#include <gradus/nn/linear.hpp>

#include <cmath>

#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {

Linear::Linear(const LinearOptions& options, Generator& generator) : Layer("linear"), options_(options) {
  detail::require_size("linear", "input_size", options.input_size);
  detail::require_size("linear", "output_size", options.output_size);
  const double bound = 1.0 / std::sqrt(static_cast<double>(options.input_size));
  const UniformOptions range{.low = -bound, .high = bound, .dtype = options.dtype};
  weight_.reset_(uniform({options.output_size, options.input_size}, generator, range));
  register_parameter("weight", weight_, {{"output"}, {"input"}});
  if (!options.bias) return;
  bias_.reset_(uniform({options.output_size}, generator, range));
  register_parameter("bias", bias_, {{"output"}});
}

Variable Linear::forward(const Variable& x) const { return linear(x, weight_, bias_); }

}  // namespace gradus

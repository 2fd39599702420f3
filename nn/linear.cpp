// SPDX-License-Identifier: MIT
#include <gradus/nn/linear.hpp>

#include <cmath>

#include <gradus/autograd/ops/linalg.hpp>

namespace gradus {

Linear::Linear(const LinearOptions& options, Generator& generator) : Layer("linear"), options_(options) {
  GRADUS_CHECK(options.input_size >= 0 && options.output_size >= 0, "[linear] expected sizes of 0 or more, got input ",
               options.input_size, ", output ", options.output_size);
  const double bound = options.input_size > 0 ? 1.0 / std::sqrt(static_cast<double>(options.input_size)) : 0.0;
  const UniformOptions range{.low = -bound, .high = bound, .dtype = options.dtype};
  weight_.reset_(uniform({options.output_size, options.input_size}, generator, range));
  register_parameter("weight", weight_, {{"output"}, {"input"}});
  if (!options.bias) return;
  bias_.reset_(uniform({options.output_size}, generator, range));
  register_parameter("bias", bias_, {{"output"}});
}

Variable Linear::forward(const Variable& x) const { return linear(x, weight_, bias_); }

}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <gradus/nn/layers.hpp>

#include <cmath>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {

Linear::Linear(const LinearOptions& options, const Place& place) : Layer(options, place) {
  detail::require_size(kind(), "input_size", options.input_size);
  detail::require_size(kind(), "output_size", options.output_size);
  const double bound = 1.0 / std::sqrt(static_cast<double>(options.input_size));
  const UniformOptions range{.low = -bound, .high = bound, .dtype = options.dtype};
  weight_.reset_(uniform({options.output_size, options.input_size}, generator(), range));
  register_parameter("weight", weight_, {{"output"}, {"input"}});
  if (!options.bias) return;
  bias_.reset_(uniform({options.output_size}, generator(), range));
  register_parameter("bias", bias_, {{"output"}});
}

Variable Linear::forward(const Variable& x) const { return linear(x, weight_, bias_); }

Embedding::Embedding(const EmbeddingOptions& options, const Place& place) : Layer(options, place) {
  detail::require_size(kind(), "num_embeddings", options.num_embeddings);
  detail::require_size(kind(), "embedding_size", options.embedding_size);
  weight_.reset_(normal({options.num_embeddings, options.embedding_size}, generator(), {.dtype = options.dtype}));
  register_parameter("weight", weight_, {{"symbol"}, {"unit"}});
}

Variable Embedding::forward(const Variable& indices) const { return embedding(weight_, indices); }

Dropout::Dropout(const DropoutOptions& options, const Place& place)
    : Layer(options, place), generator_(generator().split()) {
  GRADUS_CHECK(options.p >= 0.0 && options.p < 1.0, "[dropout] expected 0 <= p < 1, got ", options.p);
  register_generator("generator", generator_);
}

Variable Dropout::forward(const Variable& x) {
  if (!training() || options().p == 0.0) return x;
  if (!options().shared_axis) return dropout(x, options().p, generator_.reserve(x.numel()));
  const int axis = normalize_axis(*options().shared_axis, x.rank(), "dropout");
  const Shape one = x.shape().with(axis, 1);
  const Variable mask = dropout(ones(one, {.dtype = x.dtype()}), options().p, generator_.reserve(one.numel()));
  // A dropped element has no effect, even if it is NaN, so it is not multiplied by 0.
  return where(greater(mask, 0.0), x * mask, zeros({}, {.dtype = x.dtype()}));
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/chain/window.hpp>

#include <cmath>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/creation.hpp>

namespace gradus {
namespace {

// j - p for each key.
Variable key_distances(const Variable& centres, const detail::WindowSizes& sizes) {
  const Variable keys = arange(0.0, static_cast<double>(sizes.keys), {.dtype = centres.dtype()});
  return keys - centres;
}

}  // namespace

namespace detail {

PositionPredictor::PositionPredictor(const PositionPredictorOptions& options, const Place& place)
    : Layer(options, place),
      hidden_(
          {.input_size = options.query_size, .output_size = options.hidden_size, .bias = false, .dtype = options.dtype},
          child("hidden")) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(options.hidden_size));
  v_.reset_(uniform({options.hidden_size}, generator(), {.low = -bound, .high = bound, .dtype = options.dtype}));
  register_parameter("v", v_, {{"unit"}});
}

Variable PositionPredictor::forward(const Variable& query) {
  return sigmoid(linear(tanh(hidden_(query)), unsqueeze(v_, 0)));
}

Variable key_counts(const PreparedMemory& memory, int64_t heads) {
  const int64_t keys = memory.memory.size(1);
  const MaskSizes sizes{.batch = memory.memory.size(0), .heads = heads, .queries = 1, .keys = keys};
  const KeyRanges ranges = memory.mask.of_keys().ranges(sizes);
  Tensor counts = zeros({ranges.items, 1, 1}, {.dtype = DType::f64});
  double* count = counts.mutable_data_<double>();
  for (int64_t item = 0; item < ranges.items; ++item) count[item] = static_cast<double>(ranges.at(item, 0).last);
  return counts.to(memory.memory.dtype());
}

Variable given_centres(const Tensor& positions, const WindowSizes& sizes) {
  if (positions.defined()) return positions.to(DType::f64).unsqueeze(2);
  return arange(0.0, static_cast<double>(sizes.queries), {.dtype = DType::f64}).reshape({1, sizes.queries, 1});
}

Variable window_keep(const Variable& centres, const WindowSizes& sizes) {
  return less_equal(abs(key_distances(centres, sizes)), static_cast<double>(sizes.width));
}

Variable window_factor(const Variable& centres, const WindowSizes& sizes) {
  const auto width = static_cast<double>(sizes.width);
  return exp(square(key_distances(centres, sizes)) * (-2.0 / (width * width)));
}

}  // namespace detail
}  // namespace gradus

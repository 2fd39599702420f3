// SPDX-License-Identifier: MIT
#include <gradus/nn/layers.hpp>

#include <cmath>

namespace gradus {
namespace {

struct Fans {
  double in;
  double out;
};

Fans fans_of(const Shape& shape, const char* name) {
  GRADUS_CHECK(shape.rank() >= 2, "[", name, "] expected a weight of rank 2 or more, got ", shape);
  const double field = static_cast<double>(shape.without(0).without(0).numel());
  return {static_cast<double>(shape[1]) * field, static_cast<double>(shape[0]) * field};
}

Tensor within(const Shape& shape, Generator& generator, double bound, DType dtype) {
  return uniform(shape, generator, {.low = -bound, .high = bound, .dtype = dtype});
}

}  // namespace

Tensor xavier_uniform(const Shape& shape, Generator& generator, const InitOptions& options) {
  const Fans fans = fans_of(shape, "xavier_uniform");
  const double sum = fans.in + fans.out;
  return within(shape, generator, sum > 0 ? options.gain * std::sqrt(6.0 / sum) : 0.0, options.dtype);
}

Tensor kaiming_uniform(const Shape& shape, Generator& generator, const InitOptions& options) {
  const Fans fans = fans_of(shape, "kaiming_uniform");
  return within(shape, generator, fans.in > 0 ? options.gain * std::sqrt(3.0 / fans.in) : 0.0, options.dtype);
}

Tensor orthogonal(const Shape& shape, Generator& generator, const InitOptions& options) {
  GRADUS_CHECK(shape.rank() == 2, "[orthogonal] expected a matrix, got ", shape);
  const bool tall = shape[0] > shape[1];
  const int64_t rows = tall ? shape[1] : shape[0];
  const int64_t cols = tall ? shape[0] : shape[1];
  Tensor matrix = normal({rows, cols}, generator, {.dtype = DType::f64});
  double* q = matrix.mutable_data_<double>();
  for (int64_t i = 0; i < rows; ++i) {
    double* row = q + i * cols;
    for (int pass = 0; pass < 2; ++pass) {  // one pass loses orthogonality where a row is nearly dependent
      for (int64_t j = 0; j < i; ++j) {
        const double* other = q + j * cols;
        double dot = 0.0;
        for (int64_t k = 0; k < cols; ++k) dot += row[k] * other[k];
        for (int64_t k = 0; k < cols; ++k) row[k] -= dot * other[k];
      }
      double squares = 0.0;
      for (int64_t k = 0; k < cols; ++k) squares += row[k] * row[k];
      const double scale = 1.0 / std::sqrt(squares);
      for (int64_t k = 0; k < cols; ++k) row[k] *= scale;
    }
  }
  matrix.scale_(options.gain);
  return (tall ? matrix.transpose(0, 1).contiguous() : matrix).to(options.dtype);
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <gradus/nn/layers.hpp>

#include <cmath>

#include <gradus/tensor/detail/called_as.hpp>

namespace gradus {
namespace {

struct Fans {
  double in;
  double out;
};

void check_weight(const char* name, const Shape& shape, double gain, DType dtype) {
  GRADUS_CHECK(shape.rank() >= 2, "[", name, "] expected a weight of rank 2 or more, got ", shape);
  GRADUS_CHECK(std::isfinite(gain) && gain >= 0.0, "[", name, "] expected a finite gain >= 0, got ", gain);
  GRADUS_CHECK(is_floating(dtype), "[", name, "] expected a floating dtype (f32 or f64), got ", dtype);
}

Fans fans_of(const Shape& shape) {
  const double field = static_cast<double>(shape.without(0).without(0).numel());
  return {static_cast<double>(shape[1]) * field, static_cast<double>(shape[0]) * field};
}

double fan_of(const Shape& shape, FanMode mode) {
  const Fans fans = fans_of(shape);
  return mode == FanMode::fan_in ? fans.in : fans.out;
}

// gain * sqrt(above / fan), the standard deviation or the bound; there is no element when the fan is 0.
double spread(double gain, double above, double fan) { return fan > 0.0 ? gain * std::sqrt(above / fan) : 0.0; }

Tensor within(double bound, const Shape& shape, Generator& generator, DType dtype) {
  return uniform(shape, generator, {.low = -bound, .high = bound, .dtype = dtype});
}

// Makes the rows q [rows, cols] orthonormal.
void orthonormalise(double* q, int64_t rows, int64_t cols) {
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
}

}  // namespace

double calculate_gain(Nonlinearity function, const GainOptions& options) {
  const double slope = options.negative_slope;
  GRADUS_CHECK(std::isfinite(slope), "[calculate_gain] expected a finite negative_slope, got ", slope);
  switch (function) {
    case Nonlinearity::tanh:
      return 5.0 / 3.0;
    case Nonlinearity::relu:
      return std::sqrt(2.0);
    case Nonlinearity::leaky_relu:
      return std::sqrt(2.0 / (1.0 + slope * slope));
    case Nonlinearity::selu:
      return 0.75;
    case Nonlinearity::linear:
    case Nonlinearity::sigmoid:
      break;
  }
  return 1.0;
}

Tensor xavier_uniform(const Shape& shape, Generator& generator, const InitOptions& options) {
  check_weight("xavier_uniform", shape, options.gain, options.dtype);
  const Fans fans = fans_of(shape);
  return within(spread(options.gain, 6.0, fans.in + fans.out), shape, generator, options.dtype);
}

Tensor xavier_normal(const Shape& shape, Generator& generator, const InitOptions& options) {
  check_weight("xavier_normal", shape, options.gain, options.dtype);
  const Fans fans = fans_of(shape);
  const double std = spread(options.gain, 2.0, fans.in + fans.out);
  return normal(shape, generator, {.std = std, .dtype = options.dtype});
}

Tensor kaiming_uniform(const Shape& shape, Generator& generator, const KaimingOptions& options) {
  check_weight("kaiming_uniform", shape, options.gain, options.dtype);
  return within(spread(options.gain, 3.0, fan_of(shape, options.mode)), shape, generator, options.dtype);
}

Tensor kaiming_normal(const Shape& shape, Generator& generator, const KaimingOptions& options) {
  check_weight("kaiming_normal", shape, options.gain, options.dtype);
  const double std = spread(options.gain, 1.0, fan_of(shape, options.mode));
  return normal(shape, generator, {.std = std, .dtype = options.dtype});
}

Tensor orthogonal(const Shape& shape, Generator& generator, const InitOptions& options) {
  check_weight("orthogonal", shape, options.gain, options.dtype);
  const int64_t height = shape[0], width = shape.without(0).numel();
  const bool tall = height > width;
  const int64_t rows = tall ? width : height, cols = tall ? height : width;
  Tensor matrix = normal({rows, cols}, generator, {.dtype = DType::f64});
  orthonormalise(matrix.mutable_data_<double>(), rows, cols);
  matrix.scale_(options.gain);
  return (tall ? matrix.transpose(0, 1).contiguous() : matrix).reshape(shape).to(options.dtype);
}

Tensor dirac(const Shape& shape, TensorOptions options) {
  GRADUS_CHECK(shape.rank() == 3, "[dirac] expected the shape of a weight of conv1d, [out, in, width], got ", shape);
  const detail::CalledAs called("dirac");
  Tensor out = zeros(shape, options);
  if (out.numel() == 0) return out;
  const int64_t middle = (shape[2] - 1) / 2;
  Tensor identity = out.slice(2, middle, middle + 1).squeeze(2).diagonal(0, 1);
  identity.fill_(1.0);
  return out;
}

Tensor per_gate(const Shape& shape, int64_t gates, const Closure<Tensor(const Shape&, int64_t)>& init) {
  GRADUS_CHECK(gates >= 1 && shape.rank() >= 1 && shape[0] % gates == 0,
               "[per_gate] expected a shape whose first axis is a multiple of ", gates, " gates, got ", shape);
  const int64_t rows = shape[0] / gates;
  const Shape part = shape.with(0, rows);
  Tensor out;
  for (int64_t gate = 0; gate < gates; ++gate) {
    const Tensor values = init(part, gate);
    if (gate == 0 && values.defined()) out = Tensor::empty(shape, values.dtype());
    GRADUS_CHECK(values.defined() && values.shape() == part && values.dtype() == out.dtype(),
                 "[per_gate] expected values ", part, " of one dtype for each gate, got ",
                 values.defined() ? describe(values) : "an undefined tensor", " for gate ", gate);
    Tensor rows_of_gate = out.slice(0, gate * rows, (gate + 1) * rows);
    rows_of_gate.copy_(values);
  }
  return out;
}

}  // namespace gradus

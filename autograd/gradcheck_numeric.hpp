// SPDX-License-Identifier: MIT
#pragma once

#include <random>

#include <gradus/autograd/gradcheck.hpp>

namespace gradus::detail {

/// Numbers of either sign with 0.5 <= |value| <= 1.5: no derivative vanishes by chance.
class CheckNumbers {
 public:
  explicit CheckNumbers(uint64_t seed) : engine_(seed) {}
  double draw() {
    const double magnitude = 0.5 + static_cast<double>(engine_() >> 11) * 0x1p-53;
    return (engine_() & 1) != 0 ? magnitude : -magnitude;
  }
  Tensor tensor(const Shape& shape);

 private:
  std::mt19937_64 engine_;
};

/// The function under check without its outputs that carry no derivative (integers).
std::vector<Variable> floating_outputs(const FunctionRef& f, const std::vector<Variable>& inputs);

/// f(values), recorded nowhere.
std::vector<Tensor> evaluate(const FunctionRef& f, const std::vector<Tensor>& values);

struct Differences {
  Stencil stencil = Stencil::six_point;
  double step = 0.0;
};

/// The derivative of sum_k <cotangents[k], f_k> along `direction`, in values[input]:
///   six_point: (45 (f1 - f-1) - 9 (f2 - f-2) + (f3 - f-3)) / 60 h,  central: (f1 - f-1) / 2 h,  fn = f(x + n h
///   direction)
double directional_difference(const FunctionRef& f, const std::vector<Tensor>& values, size_t input,
                              const std::vector<double>& direction, const std::vector<Tensor>& cotangents,
                              const Differences& differences);

/// The elements of an f64 tensor of any layout, row-major.
std::vector<double> elements(const Tensor& tensor);

/// "[1, 2]" for a row-major position.
std::string index_text(const Shape& shape, int64_t position);

double derivative_error(double analytic, double numeric);

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

// Tensors from literal numbers, and checks of derivatives of functions at random points.

namespace gradus::tests {

inline Tensor f64(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::f64});
}
inline Tensor i64(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::i64});
}
inline Tensor bools(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::boolean});
}
inline double number(const Variable& x) { return x.value().to(DType::f64).at({}); }

/// A function of several inputs. Each input is drawn from its own domain.
struct DrawnFunction {
  std::string name;
  std::vector<InputSpec> inputs;
  std::function<std::vector<Variable>(const std::vector<Variable>&)> run;
};

/// Compares first and second derivatives with differences.
inline void check_derivatives(const DrawnFunction& f) {
  const uint64_t seed = tests::seed(31);
  detail::RandomTensors random(seed);
  std::vector<NamedInput> inputs;
  for (const InputSpec& spec : f.inputs) {
    inputs.push_back({"input " + std::to_string(inputs.size()), random.input(spec, DType::f64)});
  }
  const GradcheckReport report = gradcheck(f.run, inputs, {.order = 2, .seed = seed});
  INFO(f.name << ", seed " << seed << "\n" << report.text());
  CHECK(report.ok);
  CHECK(report.worst_error(1) < 1e-9);
  CHECK(report.worst_error(2) < 1e-8);
}

}  // namespace gradus::tests

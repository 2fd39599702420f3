// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/differences/differences.hpp>

namespace gradus::detail {

/// The derivative of `inner`, which has num_inputs inputs, as a function of those inputs and of one cotangent for each
/// output.
struct DerivativeOf {
  const FunctionRef& inner;
  size_t num_inputs;
  DType dtype;

  std::vector<Variable> operator()(const std::vector<Variable>& all) const;
};

/// The gradients of sum_k <cotangents[k], f_k> at `values`. A gradient is undefined when no output depends on the
/// input. Outputs with an undefined cotangent are left out.
std::vector<Tensor> gradients_at(const FunctionRef& f, const std::vector<Tensor>& values,
                                 const std::vector<Tensor>& cotangents, DType dtype);

/// Estimates how much of each gradient from gradients_at() is rounding: the change of the gradient when the inputs grow
/// by a few units in the last place and the cotangents by about 1e-12 of their size. Computed on first use.
class GradientRounding {
 public:
  /// All arguments must outlive this object.
  GradientRounding(const FunctionRef& f, const std::vector<Tensor>& values, const std::vector<Tensor>& cotangents,
                   const std::vector<Tensor>& gradients, DType dtype)
      : f_(f), values_(values), cotangents_(cotangents), gradients_(gradients), dtype_(dtype) {}
  /// The rounding of each element; zeros where there is no gradient.
  const std::vector<double>& of(size_t input);
  double largest(size_t input);

 private:
  void compute();

  const FunctionRef& f_;
  const std::vector<Tensor>& values_;
  const std::vector<Tensor>& cotangents_;
  const std::vector<Tensor>& gradients_;
  DType dtype_;
  std::vector<std::vector<double>> rounding_;
};

/// The names of the inputs of the next order: the same inputs, and a cotangent for each output.
std::vector<NamedInput> with_cotangents(const std::vector<NamedInput>& inputs, const std::vector<Tensor>& cotangents,
                                        int order);

}  // namespace gradus::detail

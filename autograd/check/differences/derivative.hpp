// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/differences/differences.hpp>

namespace gradus::detail {

/// The derivative of `inner` (of num_inputs inputs) as a function of its inputs and of one cotangent for each output.
struct DerivativeOf {
  const FunctionRef& inner;
  size_t num_inputs;
  DType dtype;

  std::vector<Variable> operator()(const std::vector<Variable>& all) const;
};

/// The gradients of sum_k <cotangents[k], f_k> at `values`; undefined where no output depends on an input. An undefined
/// cotangent is left out.
std::vector<Tensor> gradients_at(const FunctionRef& f, const std::vector<Tensor>& values,
                                 const std::vector<Tensor>& cotangents, DType dtype);

/// How much of each gradient of gradients_at() is rounding: how it changes when the inputs grow by a few units in their
/// last place and the cotangents by about 1e-12 of their size. Computed when it is first asked for.
class GradientRounding {
 public:
  /// All referred to must outlive this.
  GradientRounding(const FunctionRef& f, const std::vector<Tensor>& values, const std::vector<Tensor>& cotangents,
                   const std::vector<Tensor>& gradients, DType dtype)
      : f_(f), values_(values), cotangents_(cotangents), gradients_(gradients), dtype_(dtype) {}
  /// By element; zeros where there is no gradient.
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

/// The names of the inputs of the next order: these, and a cotangent for each output.
std::vector<NamedInput> with_cotangents(const std::vector<NamedInput>& inputs, const std::vector<Tensor>& cotangents,
                                        int order);

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/transforms.hpp>

namespace gradus::detail {

using Variables = std::vector<Variable>;
using Tensors = std::vector<Tensor>;

inline Variables as_variables(const Tensors& tensors) { return Variables(tensors.begin(), tensors.end()); }
GRADUS_API Tensors values_of(const Variables& variables);

/// One op with one of its examples. Checks of ops run on this. Op and example must outlive it.
struct GRADUS_API OpCase {
  const OpDef& op;
  const Example& example;
  uint64_t seed = 1;

  std::string name() const { return std::string(op.name) + ": " + example.name; }

  /// The independent inputs. Auxiliary inputs are undefined.
  Tensors inputs(DType dtype = DType::f64) const;

  bool has_vjp() const { return op.derivative.vjp() != nullptr; }
  /// Whether the op promises a derivative of order 2 too.
  bool has_second_order() const { return has_vjp() && op.derivative.second_order_refusal() == nullptr; }
  /// Whether the op promises a derivative with respect to input i.
  bool differentiable(size_t i) const;
  std::vector<size_t> differentiable_inputs() const;

  /// All outputs for the given independent inputs, auxiliary outputs included.
  Variables all_outputs(Variables inputs) const;
  /// The outputs that users see.
  Variables outputs(Variables inputs) const { return visible(all_outputs(std::move(inputs))); }
  Variables visible(const Variables& all) const;
  /// The visible outputs of the reference.
  Variables reference_outputs(Variables inputs) const;

  bool lacks_auxiliary(const Variables& inputs) const;
  size_t num_outputs(const Variables& inputs) const;

  /// The op (or its reference) as a function of its differentiable inputs alone, for gradcheck.
  struct GRADUS_API Function {
    const OpCase& op_case;
    Variables base;
    bool reference = false;

    Variables operator()(const Variables& moving) const;
  };
  Function function(const Tensors& base, bool reference = false) const {
    return {*this, as_variables(base), reference};
  }
};

/// One leaf for each differentiable input.
GRADUS_API Variables leaves_of(const OpCase& op_case, const Tensors& inputs);

struct Derivatives {
  Variables outputs;    // recorded ones only
  Tensors cotangents;   // one for each output
  Variables gradients;  // zeros where undefined
};

/// Gradients of f at fresh leaves, for the cotangents that `seed` draws.
GRADUS_API Derivatives differentiate(const FunctionRef& f, const Variables& leaves, uint64_t seed,
                                     bool create_graph = false);

/// d/d(leaves) of sum_i <weights_i, gradients_i>. The weights are drawn from `seed`. Undefined results become zeros.
GRADUS_API Variables second_derivatives(const Variables& gradients, const Variables& leaves, uint64_t seed);

/// The gradients of f for the given cotangents, one for each recorded output. Undefined gradients become zeros.
GRADUS_API Variables gradients_with(const FunctionRef& f, const Variables& leaves, const Tensors& cotangents);

}  // namespace gradus::detail

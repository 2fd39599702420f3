// SPDX-License-Identifier: MIT
// vjp, jvp, hvp, jacobian and hessian of a function; checkpoint: runs a function again instead of keeping its values.
#pragma once

#include <type_traits>
#include <vector>

#include <gradus/autograd/engine/attrs.hpp>
#include <gradus/autograd/variable.hpp>

namespace gradus {

/// A reference to a callable `(const std::vector<Variable>&) -> Variable or std::vector<Variable>`, which must outlive
/// it. Transformations and gradient checks take their function as a FunctionRef.
class FunctionRef {
 public:
  using Inputs = std::vector<Variable>;

  template <class F, class = std::enable_if_t<!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>>>
  FunctionRef(F&& f) {  // NOLINT(google-explicit-constructor): made from a lambda at the call
    using Target = std::remove_reference_t<F>;
    if constexpr (std::is_function_v<Target>) {
      target_.function = reinterpret_cast<void (*)()>(&f);
      call_ = [](Pointer target, const Inputs& inputs) {
        return call(*reinterpret_cast<Target*>(target.function), inputs);
      };
    } else {
      target_.object = const_cast<void*>(static_cast<const void*>(&f));
      call_ = [](Pointer target, const Inputs& inputs) { return call(*static_cast<Target*>(target.object), inputs); };
    }
  }

  std::vector<Variable> operator()(const Inputs& inputs) const { return call_(target_, inputs); }

  /// Calls any such callable; one result becomes a list of one.
  template <class F>
  static std::vector<Variable> call(F& function, const Inputs& inputs) {
    if constexpr (std::is_convertible_v<decltype(function(inputs)), Variable>) {
      return Inputs{function(inputs)};
    } else {
      return Inputs(function(inputs));
    }
  }

 private:
  union Pointer {
    void* object;
    void (*function)();
  };

  Pointer target_;
  std::vector<Variable> (*call_)(Pointer, const Inputs&);
};

struct TransformOptions {
  /// Record the result, so that it can be differentiated again with respect to the inputs, cotangents, tangents, and
  /// anything else that the function reads. Otherwise the result is a constant.
  bool create_graph = false;
};

struct [[nodiscard]] VjpResult {
  std::vector<Variable> outputs;
  std::vector<Variable> gradients;
};

/// f(inputs), and the product of `cotangents` (one for each output, of its shape) with the Jacobian. There is one
/// gradient for each floating input, zero when nothing depends on it. The other inputs get undefined gradients.
GRADUS_API VjpResult vjp(FunctionRef f, const std::vector<Variable>& inputs, const std::vector<Variable>& cotangents,
                         const TransformOptions& options = {});

struct [[nodiscard]] JvpResult {
  std::vector<Variable> outputs;
  std::vector<Variable> tangents;
};

/// f(inputs), and the product of the Jacobian with `tangents` (one for each input, of its shape; undefined: zero): how
/// the outputs change along the tangents. Runs two vjps: the first is linear in its cotangent, and its derivative with
/// respect to that cotangent is the product. f must be twice differentiable.
GRADUS_API JvpResult jvp(FunctionRef f, const std::vector<Variable>& inputs, const std::vector<Variable>& tangents,
                         const TransformOptions& options = {});

/// The product of the Hessian of f with `vectors` (one for each input, of its shape; undefined: zero). f must have one
/// output of one element. Costs about four times f (Pearlmutter 1994), and forms no matrix.
[[nodiscard]] GRADUS_API std::vector<Variable> hvp(FunctionRef f, const std::vector<Variable>& inputs,
                                                   const std::vector<Variable>& vectors,
                                                   const TransformOptions& options = {});

/// d f(x) / d x for one input x [x...] and one output [y...]; the result is [y..., x...]. Runs one vjp for each output
/// element.
GRADUS_API Variable jacobian(FunctionRef f, const Variable& x, const TransformOptions& options = {});

/// d^2 f(x) / dx dx for one input x [x...] and one output of one element; the result is [x..., x...].
GRADUS_API Variable hessian(FunctionRef f, const Variable& x, const TransformOptions& options = {});

namespace detail {
using CheckpointFunction = Closure<std::vector<Variable>(const std::vector<Variable>&)>;
GRADUS_API std::vector<Variable> checkpoint(CheckpointFunction f, const std::vector<Variable>& inputs);
}  // namespace detail

/// f(inputs), without keeping the values that f saves for its derivative: the backward runs f once more and
/// differentiates that run (Chen et al. 2016, "Training deep nets with sublinear memory cost"). f is kept and called
/// again, so what it captures must live as long as the graph and must not change. Random numbers are replayed from the
/// first run, and no generator advances. Parameters and recorded Variables that f captures get their gradients too, to
/// any order; those that were recorded on another thread must be passed as inputs. The backward throws when a tensor
/// that the ops of f read, even a constant one, was changed in place since. Returns what f returns: a Variable, or a
/// vector of them.
template <class F>
auto checkpoint(F f, const std::vector<Variable>& inputs) {
  constexpr bool kSingle = std::is_convertible_v<decltype(f(inputs)), Variable>;
  std::vector<Variable> outputs = detail::checkpoint(
      [f = std::move(f)](const std::vector<Variable>& given) mutable { return FunctionRef::call(f, given); }, inputs);
  if constexpr (kSingle) {
    return std::move(outputs[0]);
  } else {
    return outputs;
  }
}

}  // namespace gradus

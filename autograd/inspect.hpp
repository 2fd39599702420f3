// SPDX-License-Identifier: MIT
// Looks inside: hooks on values and gradients, and DetectAnomaly for the first NaN.
#pragma once

#include <type_traits>

#include <gradus/autograd/engine/attrs.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/variable.hpp>

namespace gradus {

/// Sees a value or a gradient; what it returns takes that one's place (of the same shape and dtype), an undefined
/// Variable changes nothing.
using VariableHook = Closure<Variable(const Variable&)>;

namespace detail {
GRADUS_API Variable hook_gradient(const Variable& x, const VariableHook& hook);

/// A hook from a callable that returns a Variable or nothing.
template <class F>
VariableHook make_hook(F hook) {
  return [hook = std::move(hook)](const Variable& value) mutable -> Variable {
    if constexpr (std::is_void_v<decltype(hook(value))>) {
      hook(value);
      return {};
    } else {
      return hook(value);
    }
  };
}
}  // namespace detail

/// x again; whatever is differentiated through the result shows `hook` the whole gradient that arrives there, once a
/// pass. Printing, gathering norms, and clipping or reversing a gradient (return another Variable) are done with it:
/// `h = hook_gradient(h, [](const Variable& g) { ... })`. A Variable never changes, so the hook sits on the result.
template <class F>
Variable hook_gradient(const Variable& x, F hook) {
  return detail::hook_gradient(x, detail::make_hook(std::move(hook)));
}

/// Sets anomaly mode on this thread, and sets it back.
class AnomalyGuard {
 public:
  [[nodiscard]] explicit AnomalyGuard(bool enabled) : context_(context()), previous_(context_.anomaly) {
    context_.anomaly = enabled;
  }
  ~AnomalyGuard() { context_.anomaly = previous_; }
  AnomalyGuard(const AnomalyGuard&) = delete;
  AnomalyGuard& operator=(const AnomalyGuard&) = delete;

 private:
  Context& context_;
  bool previous_;
};

/// While it lives, the first op on this thread that produces a NaN or an infinity, on the way forward or back, throws
/// an Error that names the op, the path of the module that applied it, and the ranges of what went in. An infinity that
/// comes out of an infinity is let through, as in masks. Each op then costs a look at all its elements.
class DetectAnomaly : AnomalyGuard {
 public:
  [[nodiscard]] DetectAnomaly() : AnomalyGuard(true) {}
};

namespace detail {

/// Throws when an output is not finite and its inputs do not explain it.
void check_forward(const OpDef& op, InputSpan inputs, const Tensor* outputs, int num_outputs);
/// The same for the gradient of input i of `node`.
void check_gradient(Node& node, int i, const Variable& gradient);
/// scope_path() as text that stays.
const char* lasting_scope_path();

}  // namespace detail
}  // namespace gradus

// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>

#include <gradus/autograd/engine/closure.hpp>
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

}  // namespace gradus

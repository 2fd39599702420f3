// SPDX-License-Identifier: MIT
#include <gradus/autograd/inspect.hpp>

#include <gradus/autograd/op.hpp>

namespace gradus {
namespace {

struct HookAttrs {
  VariableHook hook;
};

// y = x. dx is what the hook returns for dy.
const OpDef hook_op = {
    .name = "hook_gradient",
    .input_names = {"x"},
    .shape = [](ShapeArgs& s) { s.output(s.shape(0), s.dtype(0)); },
    .forward = [](ForwardArgs& f) { f.out(0) = f.in(0); },
    .derivative =
        [](VjpArgs& v) {
          const Variable changed = v.attrs<HookAttrs>().hook(v.cotangent());
          v.set(0, changed.defined() ? changed : v.cotangent());
        },
    .is_view = true,
};

}  // namespace

Variable detail::hook_gradient(const Variable& x, const VariableHook& hook) {
  return apply(hook_op, HookAttrs{hook}, {&x});
}

}  // namespace gradus

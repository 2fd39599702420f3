// SPDX-License-Identifier: MIT
#include <gradus/autograd/ops/views/alias.hpp>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/ops_list.hpp>

namespace gradus {
namespace {

void alias_shape(ShapeArgs& args) { args.output(args.shape(0), args.dtype(0)); }

void alias_forward(ForwardArgs& args) { args.out(0) = args.in(0); }

void alias_vjp(VjpArgs& args) { args.set(0, args.cotangent()); }

std::vector<Example> alias_examples() {
  return {
      {.name = "matrix", .inputs = {real({3, 4})}},
      {.name = "scalar", .inputs = {real({})}},
      {.name = "empty", .inputs = {real({0, 3})}},
  };
}

}  // namespace

// y = x. dx = dy.
const OpDef alias_op = {
    .name = "alias",
    .input_names = {"x"},
    .shape = alias_shape,
    .forward = alias_forward,
    .derivative = alias_vjp,
    .is_view = true,
    .examples = alias_examples,
    .onnx = [](OnnxArgs& o) { o.out(0, o.in(0)); },
};

Variable alias(const Variable& x) { return apply(alias_op, {}, {&x}); }

}  // namespace gradus

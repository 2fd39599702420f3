// SPDX-License-Identifier: MIT
// y = a + w (b - a):   da = g (1 - w),   db = g w,   dw = g (b - a)
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/broadcast.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>

namespace gradus {

const OpDef lerp_op = {
    .name = "lerp",
    .input_names = {"a", "b", "weight"},
    .shape =
        [](ShapeArgs& s) {
          rules::require_shape(s, 2, s.shape(0), "the weight");
          rules::require_same_dtype(s, 0, 2);
          rules::binary(s);
        },
    .forward = [](ForwardArgs& f) { kernels::lerp(f.in(0), f.in(1), f.in(2), f.out(0)); },
    .derivative =
        [](VjpArgs& v) {
          if (v.needs(0)) v.set(0, v.cotangent() * (1.0 - v.in(2)));
          if (v.needs(1)) v.set(1, v.cotangent() * v.in(2));
          if (v.needs(2)) v.set(2, v.cotangent() * (v.in(1) - v.in(0)));
        },
    .saves = {.inputs = 0b111},
    .reference = [](const Attrs&, InputSpan in,
                    Variable* outputs) { outputs[0] = *in[0] + *in[2] * (*in[1] - *in[0]); },
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "matrix", .inputs = {real({3, 4}), real({3, 4}), real({3, 4})}},
              {.name = "one past a vector", .inputs = {real({17}), real({17}), real({17}, between(-0.5, 1.5))}},
              {.name = "scalar", .inputs = {real({}), real({}), real({})}},
              {.name = "empty", .inputs = {real({0}), real({0}), real({0})}},
              {.name = "shapes differ",
               .inputs = {real({2}), real({2}), real({3})},
               .error = "[lerp] wrong shape of the weight: expected [2], got f64 [3]"},
              {.name = "integers",
               .inputs = {integers({2}, 0, 3), integers({2}, 0, 3), integers({2}, 0, 3)},
               .error = "[lerp] expected a floating input"},
          };
        },
};

Variable lerp(const Variable& a, const Variable& b, const Variable& weight) {
  const detail::CalledAs called("lerp");
  const Shape shape = broadcast_shapes(broadcast_shapes(a.shape(), b.shape(), "lerp"), weight.shape(), "lerp");
  const Variable from = expand(a, shape);
  const Variable to = expand(b, shape);
  const Variable w = expand(weight, shape);
  return apply(lerp_op, {}, {&from, &to, &w});
}

Variable lerp(const Variable& a, const Variable& b, double weight) {
  const detail::CalledAs called("lerp");
  return lerp(a, b, detail::number_like(a, weight));
}

}  // namespace gradus

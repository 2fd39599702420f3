// SPDX-License-Identifier: MIT
// y = log sum e^x = m + log sum e^(x - m), m the largest x. dx = g e^(x - y): the softmax, which keeps depending on x
// through both x and y. Where all x are -infinity, so is y, and e^(x - 0) = 0 stands for e^(x - y).
#include <cmath>

#include <gradus/autograd/example.hpp>
#include <gradus/autograd/ops/arithmetic.hpp>
#include <gradus/autograd/ops/elementwise.hpp>
#include <gradus/autograd/ops/reduce.hpp>
#include <gradus/autograd/ops/reduce_axes.hpp>
#include <gradus/autograd/ops_list.hpp>
#include <gradus/tensor/kernels/tensor_reduce.hpp>

namespace gradus {
namespace {

void logsumexp_reference(const Attrs& attrs, InputSpan inputs, Variable* outputs) {
  const Variable& x = *inputs[0];
  const Variable zero = zeros({}, {.dtype = x.dtype()});
  if (x.numel() == 0) {
    outputs[0] = full(reduced_shape(x.shape(), attrs.as<ReduceAttrs>().axes), -HUGE_VAL, {.dtype = x.dtype()});
    return;
  }
  const Variable largest = apply(max_op, attrs, {&x}).detach();
  const Variable shift = where(equal(abs(largest), HUGE_VAL), zero, largest);
  const Variable total = sum_to(exp(sub(x, shift)), largest.shape());
  const Variable nothing = equal(total, 0.0);
  outputs[0] = where(nothing, largest, add(log(where(nothing, affine(total, 0.0, 1.0), total)), shift));
}

}  // namespace

const OpDef logsumexp_op = {
    .name = "logsumexp",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          rules::require_floating(s, 0, "input");
          rules::reduction(s, s.attrs<ReduceAttrs>().axes, s.dtype(0));
        },
    .forward = [](ForwardArgs& f) { kernels::logsumexp(f.in(0), f.out(0)); },
    .derivative =
        [](VjpArgs& v) {
          const Variable y = v.out(0);
          const Variable finite = where(equal(y, -HUGE_VAL), zeros({}, {.dtype = y.dtype()}), y);
          v.set(0, mul(exp(sub(v.in(0), finite)), v.cotangent()));
        },
    .saves = {.inputs = 0b1, .outputs = 0b1},
    .reference = logsumexp_reference,
    .examples =
        [] {
          const double inf = HUGE_VAL;
          const Tensor blocked = Tensor::from({-inf, -inf, 0, 0, -inf, 0}, {3, 2}, {.dtype = DType::f64});
          const Tensor expected = Tensor::from({-inf, std::log(2.0), 0}, {3, 1}, {.dtype = DType::f64});
          return std::vector<Example>{
              {.name = "rows", .attrs = ReduceAttrs{0b10}, .inputs = {real({3, 17})}},
              {.name = "columns", .attrs = ReduceAttrs{0b01}, .inputs = {real({4, 5})}},
              {.name = "first and last", .attrs = ReduceAttrs{0b101}, .inputs = {real({2, 3, 4})}},
              {.name = "all", .attrs = ReduceAttrs{0b11}, .inputs = {real({3, 3}, between(-40, 40))}},
              {.name = "scalar", .attrs = ReduceAttrs{0}, .inputs = {real({})}},
              {.name = "nothing of nothing", .attrs = ReduceAttrs{0b10}, .inputs = {real({0, 2})}},
              {.name = "minus infinity",
               .attrs = ReduceAttrs{0b10},
               .inputs = {fixed(blocked)},
               .expected = {expected},
               .no_differences = "an infinity"},
              {.name = "integers",
               .attrs = ReduceAttrs{0b1},
               .inputs = {integers({2}, 0, 3)},
               .error = "[logsumexp] expected a floating input (f32 or f64), got i64 [2]"},
          };
        },
};

Variable logsumexp(const Variable& x, std::initializer_list<int> axes, ReduceOptions options) {
  return apply_reduction(logsumexp_op, x, axes_mask(x, axes, "logsumexp"), options.keepdim);
}

Variable logsumexp(const Variable& x) { return apply_reduction(logsumexp_op, x, all_axes(x), false); }

}  // namespace gradus

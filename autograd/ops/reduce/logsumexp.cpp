// SPDX-License-Identifier: MIT
// y = log sum e^x = m + log sum e^(x - m), m the largest x.
// dx = g p, p = e^(x - y) the softmax: logsumexp_backward(x, g). It computes p from x, because when x is large, y has
// lost the digits that p needs to rounding. Its own vjp, for a cotangent c:
//   dg = sum(c p)        dx = p (c g - sum(p c g))
// Where all x are -infinity, y is -infinity and p is 0.
#include <cmath>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/reduce/reduce_axes.hpp>
#include <gradus/autograd/ops/views/shift.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/reduce/tensor_reduce.hpp>

namespace gradus {
namespace {

void logsumexp_reference(const Attrs& attrs, InputSpan inputs, Variable* outputs) {
  const Variable& x = *inputs[0];
  if (x.numel() == 0) {
    outputs[0] = full(reduced_shape(x.shape(), attrs.as<ReduceAttrs>().axes), -HUGE_VAL, {.dtype = x.dtype()});
    return;
  }
  const Variable shift = detail::largest_shift(x, attrs.as<ReduceAttrs>().axes);
  const Variable total = sum_to(exp(x - shift), shift.shape());
  const Variable nothing = equal(total, 0.0);
  const Variable lowest = full({}, -HUGE_VAL, {.dtype = x.dtype()});
  const Variable one = ones({}, {.dtype = x.dtype()});
  outputs[0] = where(nothing, lowest, log(where(nothing, one, total)) + shift);
}

Variable backward(const Attrs& attrs, const Variable& x, const Variable& g) {
  return apply(logsumexp_backward_op, attrs, {&x, &g});
}

void backward_vjp(VjpArgs& v) {
  const Variable x = v.in(0);
  const Variable g = v.in(1);
  const Variable one = ones({}, {.dtype = x.dtype()});
  const Variable p = backward(v.raw_attrs(), x, expand(one, g.shape()));
  const Variable pc = p * v.cotangent();
  if (v.needs(0)) {
    const Variable pcg = pc * g;
    v.set(0, pcg - p * sum_to(pcg, g.shape()));
  }
  if (v.needs(1)) v.set(1, sum_to(pc, g.shape()));
}

void backward_reference(const Attrs& attrs, InputSpan inputs, Variable* outputs) {
  const Variable cotangents[1] = {*inputs[1]};
  Variable gradients[1];
  reference_of_backward(logsumexp_op, attrs, inputs.first(1), cotangents, 0b1, gradients);
  outputs[0] = gradients[0];
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
    .derivative = [](VjpArgs& v) { v.set(0, backward(v.raw_attrs(), v.in(0), v.cotangent())); },
    .saves = {.inputs = 0b1},
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
    .onnx = [](OnnxArgs& o) { onnx_reduce(o, "ReduceLogSumExp", o.in(0), o.attrs<ReduceAttrs>().axes); },
};

const OpDef logsumexp_backward_op = {
    .name = "logsumexp_backward",
    .input_names = {"x", "g"},
    .shape =
        [](ShapeArgs& s) {
          rules::require_floating(s, 0, "input");
          rules::require_axes(s, s.attrs<ReduceAttrs>().axes);
          rules::require_same_dtype(s, 0, 1);
          rules::require_shape(s, 1, reduced_shape(s.shape(0), s.attrs<ReduceAttrs>().axes), "the cotangent");
          s.output(s.shape(0), s.dtype(0));
        },
    .forward = [](ForwardArgs& f) { kernels::logsumexp_backward(f.in(0), f.in(1), f.out(0)); },
    .derivative = backward_vjp,
    .saves = {.inputs = 0b11},
    .reference = backward_reference,
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "rows", .attrs = ReduceAttrs{0b10}, .inputs = {real({3, 17}), real({3, 1})}},
              {.name = "columns", .attrs = ReduceAttrs{0b01}, .inputs = {real({4, 5}), real({1, 5})}},
              {.name = "first and last", .attrs = ReduceAttrs{0b101}, .inputs = {real({2, 3, 4}), real({1, 3, 1})}},
              {.name = "scalar", .attrs = ReduceAttrs{0}, .inputs = {real({}), real({})}},
              {.name = "nothing", .attrs = ReduceAttrs{0b10}, .inputs = {real({0, 2}), real({0, 1})}},
              {.name = "cotangent of another shape",
               .attrs = ReduceAttrs{0b10},
               .inputs = {real({3, 2}), real({3, 2})},
               .error = "[logsumexp_backward] wrong shape of the cotangent: expected [3, 1], got f64 [3, 2]"},
          };
        },
};

Variable logsumexp(const Variable& x, const Axes& axes, ReduceOptions options) {
  const detail::CalledAs called("logsumexp");
  return apply_reduction(logsumexp_op, x, axes_mask(x, axes, "logsumexp"), options.keepdim);
}

Variable logsumexp(const Variable& x) {
  const detail::CalledAs called("logsumexp");
  return apply_reduction(logsumexp_op, x, all_axes(x), false);
}

}  // namespace gradus

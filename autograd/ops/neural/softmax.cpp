// SPDX-License-Identifier: MIT
// y_i = exp(x_i) / sum_j exp(x_j) over the elements that are kept, 0 elsewhere.
// dx = y (g - s), s = sum(y g): softmax_backward(y, g). Its own vjp, for a cotangent c:
//   dg = y (c - sum(y c))        dy = c (g - s) - g sum(c y), with g and c taken as 0 where blocked
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/neural/rows.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views/shift.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/rows/softmax.hpp>

namespace gradus {
namespace {

using detail::row_sum;

void check_masked_rows(const ShapeArgs& s, int keep) {
  detail::require_rows(s);
  if (!s.has(keep)) return;
  rules::require_dtype(s, keep, DType::boolean, "keep");
  rules::require_shape(s, keep, s.shape(0), "keep");
}

Variable unblocked(const Variable& x, const Variable& keep) {
  return keep.defined() ? where(keep, x, zeros({}, {.dtype = x.dtype()})) : x;
}

// Blocked elements are replaced three times: before exp, which could make them infinite; after it, for the sum; and at
// the end, because the row may be NaN.
void softmax_reference(const Attrs&, InputSpan inputs, Variable* outputs) {
  const Variable& keep = *inputs[1];
  const Variable one = ones({}, {.dtype = inputs[0]->dtype()});
  const Variable lowest = full({}, -HUGE_VAL, {.dtype = inputs[0]->dtype()});
  const Variable shift = detail::largest_shift(keep.defined() ? where(keep, *inputs[0], lowest) : *inputs[0]);
  const Variable kept = unblocked(exp(sub(unblocked(*inputs[0], keep), shift)), keep);
  const Variable total = row_sum(kept);
  // A row with all elements blocked divides 0 by 1; a row of -infinity divides 0 by 0.
  if (!keep.defined()) {
    outputs[0] = div(kept, total);
  } else {
    const Variable any_kept = any(keep, {-1}, {.keepdim = true});
    outputs[0] = unblocked(div(kept, where(any_kept, total, one)), keep);
  }
}

std::vector<Example> softmax_examples() {
  const Tensor blocked = Tensor::from({1, 0, 1, 0, 0, 0}, {2, 3}, {.dtype = DType::boolean});
  return {
      {.name = "rows", .inputs = {real({3, 5}), absent()}},
      {.name = "one past a vector", .inputs = {real({2, 17}), absent()}},
      {.name = "vector", .inputs = {real({4}), absent()}},
      {.name = "masked", .inputs = {real({4, 6}), booleans({4, 6})}},
      {.name = "a row all blocked", .inputs = {real({2, 3}), fixed(blocked)}},
      {.name = "no rows", .inputs = {real({0, 3}), absent()}},
      {.name = "scalar", .inputs = {real({}), absent()}, .error = "[softmax] expected at least one axis, got f64 []"},
      {.name = "keep of another shape",
       .inputs = {real({2, 3}), booleans({3, 2})},
       .error = "[softmax] wrong shape of keep: expected [2, 3], got bool [3, 2]"},
      {.name = "keep of numbers",
       .inputs = {real({2, 3}), real({2, 3})},
       .error = "[softmax] expected keep of dtype bool, got f64 [2, 3]"},
  };
}

}  // namespace

const OpDef softmax_op = {
    .name = "softmax",
    .input_names = {"x", "keep"},
    .shape =
        [](ShapeArgs& s) {
          rules::unary(s);
          check_masked_rows(s, 1);
        },
    .forward = [](ForwardArgs& f) { kernels::softmax(f.in(0), f.has(1) ? &f.in(1) : nullptr, f.out(0)); },
    .derivative = [](VjpArgs& v) { v.set(0, softmax_backward(v.out(0), v.cotangent(), v.in(1))); },
    .saves = {.inputs = 0b10, .outputs = 0b1},
    .optional_inputs = 0b10,
    .reference = softmax_reference,
    .examples = softmax_examples,
    .onnx =
        [](OnnxArgs& o) {
          if (!o.has(1)) return o.out(0, o.node("Softmax", {o.in(0)}, {{"axis", -1}}));
          const std::string kept = o.node("Where", {o.in(1), o.in(0), o.number(-HUGE_VAL)});
          // A row that is all blocked is NaN here.
          o.out(0, o.node("Where", {o.in(1), o.node("Softmax", {kept}, {{"axis", -1}}), o.number(0.0)}));
        },
};

const OpDef softmax_backward_op = {
    .name = "softmax_backward",
    .input_names = {"y", "g", "keep"},
    .shape =
        [](ShapeArgs& s) {
          rules::binary(s);
          check_masked_rows(s, 2);
        },
    .forward =
        [](ForwardArgs& f) { kernels::softmax_backward(f.in(0), f.in(1), f.has(2) ? &f.in(2) : nullptr, f.out(0)); },
    .derivative =
        [](VjpArgs& v) {
          const Variable y = v.in(0);
          const Variable g = v.in(1);
          const Variable keep = v.in(2);
          const Variable& c = v.cotangent();
          if (v.needs(1)) v.set(1, softmax_backward(y, c, keep));
          if (!v.needs(0)) return;
          const Variable gk = unblocked(g, keep);
          const Variable ck = unblocked(c, keep);
          const Variable dy = sub(mul(ck, sub(gk, row_sum(mul(y, gk)))), mul(gk, row_sum(mul(ck, y))));
          v.set(0, unblocked(dy, keep));  // 0 times an infinity or NaN would be NaN
        },
    .saves = {.inputs = 0b111},
    .optional_inputs = 0b100,
    .reference =
        [](const Attrs&, InputSpan inputs, Variable* outputs) {
          const Variable y = unblocked(*inputs[0], *inputs[2]);
          const Variable g = unblocked(*inputs[1], *inputs[2]);
          outputs[0] = mul(y, sub(g, row_sum(mul(y, g))));
        },
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "rows", .inputs = {real({3, 5}, between(0.0, 1.0)), real({3, 5}), absent()}},
              {.name = "one past a vector", .inputs = {real({17}, between(0.0, 1.0)), real({17}), absent()}},
              {.name = "shapes differ",
               .inputs = {real({3}), real({4}), absent()},
               .error = "a is f64 [3], b is f64 [4]"},
          };
        },
};

Variable softmax(const Variable& x, int64_t axis, const Variable& keep) {
  const detail::CalledAs called("softmax");
  const int at = normalize_axis(axis, x.rank(), "softmax");
  const bool last = at == x.rank() - 1;
  if (last && !keep.defined()) return apply(softmax_op, {}, {&x, &keep});
  Variable mask = keep.defined() ? expand(keep, x.shape()) : keep;
  if (last) return apply(softmax_op, {}, {&x, &mask});
  if (keep.defined()) mask = transpose(mask, at, -1);
  const Variable rows = transpose(x, at, -1);
  return transpose(apply(softmax_op, {}, {&rows, &mask}), at, -1);
}

Variable softmax_backward(const Variable& y, const Variable& g, const Variable& keep) {
  return apply(softmax_backward_op, {}, {&y, &g, &keep});
}

}  // namespace gradus

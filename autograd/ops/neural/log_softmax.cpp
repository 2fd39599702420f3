// SPDX-License-Identifier: MIT
// y_i = x_i - log sum_j exp(x_j).  dx = g - exp(y) sum(g): log_softmax_backward(y, g). Its own vjp, for a cotangent c:
//   dg = c - sum(c exp(y))        dy = -c exp(y) sum(g)
#include <cmath>

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

// Blocked elements are set to -infinity before, so that they add nothing to the sum, and again after. A row with all
// elements blocked is computed from zeros: nothing in it is NaN, and no gradient passes.
Variable of_kept(const Variable& x, int axis, const Variable& keep) {
  const Variable mask = expand(keep, x.shape());
  GRADUS_CHECK(mask.dtype() == DType::boolean, "[log_softmax] expected keep of dtype bool, got ", describe(mask));
  const Variable lowest = full({}, -HUGE_VAL, {.dtype = x.dtype()});
  const Variable zero = zeros({}, {.dtype = x.dtype()});
  const Variable blocked = where(any(mask, axis, {.keepdim = true}), lowest, zero);
  return where(mask, log_softmax(where(mask, x, blocked), axis), lowest);
}

std::vector<Example> log_softmax_examples() {
  return {
      {.name = "rows", .inputs = {real({3, 5})}},
      {.name = "one past a vector", .inputs = {real({2, 17})}},
      {.name = "vector", .inputs = {real({4})}},
      {.name = "one element", .inputs = {real({2, 1})}},
      {.name = "no rows", .inputs = {real({0, 3})}},
      {.name = "no columns", .inputs = {real({2, 0})}},
      {.name = "scalar", .inputs = {real({})}, .error = "[log_softmax] expected at least one axis, got f64 []"},
  };
}

}  // namespace

const OpDef log_softmax_op = {
    .name = "log_softmax",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          rules::unary(s);
          detail::require_rows(s);
        },
    .forward = [](ForwardArgs& f) { kernels::log_softmax(f.in(0), f.out(0)); },
    .derivative = [](VjpArgs& v) { v.set(0, log_softmax_backward(v.out(0), v.cotangent())); },
    .saves = {.outputs = 0b1},
    .reference =
        [](const Attrs&, InputSpan in, Variable* outputs) {
          const Variable x = sub(*in[0], detail::largest_shift(*in[0]));
          outputs[0] = sub(x, log(row_sum(exp(x))));
        },
    .examples = log_softmax_examples,
    .onnx =
        [](OnnxArgs& o) {
          o.become("LogSoftmax", {{"axis", -1}});
        },
};

const OpDef log_softmax_backward_op = {
    .name = "log_softmax_backward",
    .input_names = {"y", "g"},
    .shape =
        [](ShapeArgs& s) {
          rules::binary(s);
          detail::require_rows(s);
        },
    .forward = [](ForwardArgs& f) { kernels::log_softmax_backward(f.in(0), f.in(1), f.out(0)); },
    .derivative =
        [](VjpArgs& v) {
          const Variable p = exp(v.in(0));
          const Variable cp = mul(v.cotangent(), p);
          if (v.needs(0)) v.set(0, neg(mul(cp, row_sum(v.in(1)))));
          if (v.needs(1)) v.set(1, sub(v.cotangent(), row_sum(cp)));
        },
    .saves = {.inputs = 0b11},
    .reference = [](const Attrs&, InputSpan in,
                    Variable* outputs) { outputs[0] = sub(*in[1], mul(exp(*in[0]), row_sum(*in[1]))); },
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "rows", .inputs = {real({3, 5}, between(-3.0, 0.0)), real({3, 5})}},
              {.name = "one past a vector", .inputs = {real({2, 17}, between(-3.0, 0.0)), real({2, 17})}},
              {.name = "one element", .inputs = {real({1}, between(-3.0, 0.0)), real({1})}},
              {.name = "empty", .inputs = {real({0, 2}), real({0, 2})}},
              {.name = "shapes differ",
               .inputs = {real({3}), real({4})},
               .error = "[log_softmax_backward] operands differ: a is f64 [3], b is f64 [4]"},
          };
        },
};

Variable log_softmax(const Variable& x, int64_t axis, const Variable& keep) {
  const detail::CalledAs called("log_softmax");
  const int at = normalize_axis(axis, x.rank(), "log_softmax");
  if (keep.defined()) return of_kept(x, at, keep);
  if (at == x.rank() - 1) return apply(log_softmax_op, {}, {&x});
  const Variable rows = transpose(x, at, -1);
  return transpose(apply(log_softmax_op, {}, {&rows}), at, -1);
}

Variable log_softmax_backward(const Variable& y, const Variable& g) {
  return apply(log_softmax_backward_op, {}, {&y, &g});
}

}  // namespace gradus

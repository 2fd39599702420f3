// SPDX-License-Identifier: MIT
// y = (sum |x|^p)^(1/p):  dx = g u, u = sign(x) (|x| / y)^(p - 1), for p = 2: x / y. norm_backward(x, g, y), with y as
// an auxiliary input. Its own vjp, for a cotangent c:
//   dg = sum(c u)        dx = g (p - 1) / y ((|x| / y)^(p - 2) c - u sum(c u))
// Where y is 0 all of these are 0 by convention, and so is a single 0 to the power p - 2 < 0. Ratios to y are computed
// first, because y may be the smallest number or the largest.
#include <gradus/autograd/ops/reduce/norm.hpp>

#include <cmath>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/reduce/tensor_reduce.hpp>

namespace gradus {
namespace {

Variable norm_mask(const Variable& x, uint32_t axes, const NormOptions& options) {
  GRADUS_CHECK(options.p >= 1.0, "[norm] expected p >= 1, got ", options.p);
  GRADUS_CHECK(is_floating(x.dtype()), "[norm] expected a floating input (f32 or f64), got ", describe(x),
               "; Tensor::to(DType::f32) converts it");
  if (std::isinf(options.p)) return apply_reduction(max_op, abs(x), axes, options.keepdim);
  if (options.p == 1.0) return apply_reduction(sum_op, abs(x), axes, options.keepdim);
  const Variable kept = apply(norm_op, NormAttrs{axes, options.p}, {&x});
  return options.keepdim ? kept : drop_axes(kept, axes);
}

// r^power for r >= 0, with 0 at r = 0.
Variable power_of(const Variable& r, double power) {
  const Variable zero = zeros({}, {.dtype = r.dtype()});
  const Variable none = equal(r, 0.0);
  const Variable positive = where(none, ones({}, {.dtype = r.dtype()}), r);
  return where(none, zero, exp(power * log(positive)));
}

void check_norm(const ShapeArgs& s) {
  const double p = s.attrs<NormAttrs>().p;
  GRADUS_CHECK(p >= 1.0 && std::isfinite(p), "[", s.op_name(), "] expected 1 <= p < infinity, got ", p);
  rules::require_floating(s, 0, "input");
}

void norm_backward_vjp(VjpArgs& v) {
  const auto& attrs = v.attrs<NormAttrs>();
  const Variable x = v.in(0);
  const Variable g = v.in(1);
  const Variable norms = v.in(2);
  const Variable& c = v.cotangent();
  const Variable one = ones({}, {.dtype = x.dtype()});
  const Variable zero = zeros({}, {.dtype = x.dtype()});
  const Variable u = norm_backward(attrs, x, expand(one, g.shape()), norms);
  const Variable along = sum_to(c * u, g.shape());
  if (v.needs(1)) v.set(1, along);
  if (!v.needs(0) || attrs.p == 1.0) return;
  const Variable nothing = equal(norms, 0.0);
  const Variable y = where(nothing, one, apply(norm_op, attrs, {&x}));
  const Variable own = attrs.p == 2.0 ? c : power_of(abs(x) / y, attrs.p - 2.0) * c;
  const Variable bend = (own - u * along) / y;
  v.set(0, where(nothing, zero, bend * ((attrs.p - 1.0) * g)));
}

void complete_backward(const Attrs& attrs, std::vector<Variable>& inputs) {
  inputs[2] = apply(norm_op, attrs, {&inputs[0]}).detach();
}

std::vector<Example> norm_examples() {
  return {
      {.name = "rows", .attrs = NormAttrs{0b10, 2.0}, .inputs = {real({3, 17})}},
      {.name = "columns", .attrs = NormAttrs{0b01, 2.0}, .inputs = {real({4, 5})}},
      {.name = "first and last, p 3", .attrs = NormAttrs{0b101, 3.0}, .inputs = {real({2, 3, 4}, away_from({0.0}))}},
      {.name = "all, p 1.5", .attrs = NormAttrs{0b11, 1.5}, .inputs = {real({3, 3}, away_from({0.0}))}},
      {.name = "scalar", .attrs = NormAttrs{0, 2.0}, .inputs = {real({}, away_from({0.0}))}},
      {.name = "empty", .attrs = NormAttrs{0b10, 2.0}, .inputs = {real({0, 2})}},
      {.name = "over nothing", .attrs = NormAttrs{0b10, 2.0}, .inputs = {real({2, 0})}},
      {.name = "zeros",
       .attrs = NormAttrs{0b10, 2.0},
       .inputs = {fixed(Tensor::from({0, 0, 3, -4}, {2, 2}, {.dtype = DType::f64}))},
       .expected = {Tensor::from({0, 5}, {2, 1}, {.dtype = DType::f64})},
       .no_differences = "a norm of 0: a kink"},
      {.name = "integers",
       .attrs = NormAttrs{0b1, 2.0},
       .inputs = {integers({2}, 0, 3)},
       .error = "[norm] expected a floating input (f32 or f64), got i64 [2]"},
      {.name = "p below 1",
       .attrs = NormAttrs{0b1, 0.5},
       .inputs = {real({2})},
       .error = "[norm] expected 1 <= p < infinity, got 0.5"},
  };
}

std::vector<Example> backward_examples() {
  const Domain off_zero = away_from({0.0});
  return {
      {.name = "rows", .attrs = NormAttrs{0b10, 2.0}, .inputs = {real({3, 17}), real({3, 1}), absent()}},
      {.name = "columns", .attrs = NormAttrs{0b01, 2.0}, .inputs = {real({4, 5}), real({1, 5}), absent()}},
      {.name = "first and last, p 3",
       .attrs = NormAttrs{0b101, 3.0},
       .inputs = {real({2, 3, 4}, off_zero), real({1, 3, 1}), absent()}},
      {.name = "all, p 1.5", .attrs = NormAttrs{0b11, 1.5}, .inputs = {real({3, 3}, off_zero), real({1, 1}), absent()}},
      {.name = "p 1", .attrs = NormAttrs{0b10, 1.0}, .inputs = {real({2, 3}, off_zero), real({2, 1}), absent()}},
      {.name = "scalar", .attrs = NormAttrs{0, 2.0}, .inputs = {real({}, off_zero), real({}), absent()}},
      {.name = "empty", .attrs = NormAttrs{0b10, 2.0}, .inputs = {real({0, 2}), real({0, 1}), absent()}},
      {.name = "cotangent of another shape",
       .attrs = NormAttrs{0b10, 2.0},
       .inputs = {real({3, 2}), real({3, 2}), real({3, 1})},
       .error = "[norm_backward] wrong shape of the cotangent: expected [3, 1], got f64 [3, 2]"},
  };
}

}  // namespace

const OpDef norm_op = {
    .name = "norm",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          check_norm(s);
          rules::reduction(s, s.attrs<NormAttrs>().axes, s.dtype(0));
        },
    .forward = [](ForwardArgs& f) { kernels::vector_norm(f.in(0), f.attrs<NormAttrs>().p, f.out(0)); },
    .derivative = [](VjpArgs& v) { v.set(0, norm_backward(v.attrs<NormAttrs>(), v.in(0), v.cotangent(), v.out(0))); },
    .saves = {.inputs = 0b1, .outputs = 0b1},
    .examples = norm_examples,
    .onnx =
        [](OnnxArgs& o) {
          const auto& a = o.attrs<NormAttrs>();
          const std::string size = o.node("Abs", {o.in(0)});
          if (a.p == 1.0) return onnx_reduce(o, "ReduceSum", size, a.axes);
          if (a.p == 2.0) return onnx_reduce(o, "ReduceL2", size, a.axes);
          onnx_reduce(o, "ReduceSum", o.node("Pow", {size, o.number(a.p)}), a.axes);
          o.out(0, o.node("Pow", {o.given()[0], o.number(1.0 / a.p)}));
        },
};

const OpDef norm_backward_op = {
    .name = "norm_backward",
    .input_names = {"x", "g", "y"},
    .shape =
        [](ShapeArgs& s) {
          check_norm(s);
          rules::require_axes(s, s.attrs<NormAttrs>().axes);
          const Shape reduced = reduced_shape(s.shape(0), s.attrs<NormAttrs>().axes);
          rules::require_same_dtype(s, 0, 1);
          rules::require_shape(s, 1, reduced, "the cotangent");
          rules::require_shape(s, 2, reduced, "the norm");
          s.output(s.shape(0), s.dtype(0));
        },
    .forward =
        [](ForwardArgs& f) {
          kernels::vector_norm_backward(f.in(0), f.in(2), f.in(1), f.attrs<NormAttrs>().p, f.out(0));
        },
    .derivative = norm_backward_vjp,
    .saves = {.inputs = 0b111},
    .auxiliary_inputs = 0b100,
    .complete = complete_backward,
    .examples = backward_examples,
};

Variable norm_backward(const NormAttrs& attrs, const Variable& x, const Variable& g, const Variable& y) {
  return apply(norm_backward_op, attrs, {&x, &g, &y});
}

Variable norm(const Variable& x, const Axes& axes, NormOptions options) {
  const detail::CalledAs called("norm");
  return norm_mask(x, axes_mask(x, axes, "norm"), options);
}
Variable norm(const Variable& x, NormOptions options) {
  const detail::CalledAs called("norm");
  return norm_mask(x, all_axes(x), options);
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
// center: y = x - m, m the mean: linear, and its own transpose:  dx = center(g)
// var: y = sum (x - m)^2 / (n - c):  dx = g 2 (x - m) / (n - c)   (the derivative through m sums to 0)
// std: y = |x - m| / sqrt(n - c), |.| the 2-norm, whose backward op gives dx; 0 where y is 0, at every order
#include <cmath>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/norm.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/reduce/reduce_axes.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/reduce/tensor_reduce.hpp>

namespace gradus {
namespace {

struct VarAttrs {
  uint32_t axes;
  double correction;
};

double divisor(const Shape& shape, const VarAttrs& a) {
  const double n = reduced_count(shape, a.axes);
  return n > a.correction ? n - a.correction : std::nan("");
}

Variable moment(const OpDef& op, const Variable& x, uint32_t axes, const VarOptions& options) {
  const Variable kept = apply(op, VarAttrs{axes, options.correction}, {&x});
  return options.keepdim ? kept : drop_axes(kept, axes);
}

std::vector<Example> var_examples() {
  const Tensor known = Tensor::from({1, 2, 4, 11, 12, 14}, {2, 3}, {.dtype = DType::f64});
  const Tensor expected = Tensor::from({7.0 / 3.0, 7.0 / 3.0}, {2, 1}, {.dtype = DType::f64});
  return {
      {.name = "rows", .attrs = VarAttrs{0b10, 1.0}, .inputs = {real({3, 17})}},
      {.name = "columns", .attrs = VarAttrs{0b01, 0.0}, .inputs = {real({4, 5})}},
      {.name = "first and last", .attrs = VarAttrs{0b101, 1.0}, .inputs = {real({2, 3, 4})}},
      {.name = "all", .attrs = VarAttrs{0b11, 2.5}, .inputs = {real({3, 3})}},
      {.name = "of one", .attrs = VarAttrs{0b10, 0.0}, .inputs = {real({3, 1})}},
      {.name = "scalar", .attrs = VarAttrs{0, 0.0}, .inputs = {real({})}},
      {.name = "nothing of nothing", .attrs = VarAttrs{0b10, 1.0}, .inputs = {real({0, 2})}},
      {.name = "known", .attrs = VarAttrs{0b10, 1.0}, .inputs = {fixed(known)}, .expected = {expected}},
      {.name = "integers",
       .attrs = VarAttrs{0b1, 1.0},
       .inputs = {integers({2}, 0, 3)},
       .error = "[var] expected a floating input (f32 or f64), got i64 [2]"},
      {.name = "correction below 0",
       .attrs = VarAttrs{0b1, -1.0},
       .inputs = {real({2})},
       .error = "[var] expected a correction >= 0, got -1"},
  };
}

std::vector<Example> center_examples() {
  const Tensor known = Tensor::from({1, 2, 6, -1, 0, 4}, {2, 3}, {.dtype = DType::f64});
  const Tensor expected = Tensor::from({-2, -1, 3, -2, -1, 3}, {2, 3}, {.dtype = DType::f64});
  return {
      {.name = "rows", .attrs = ReduceAttrs{0b10}, .inputs = {real({3, 17})}},
      {.name = "columns", .attrs = ReduceAttrs{0b01}, .inputs = {real({4, 5})}},
      {.name = "first and last", .attrs = ReduceAttrs{0b101}, .inputs = {real({2, 3, 4})}},
      {.name = "scalar", .attrs = ReduceAttrs{0}, .inputs = {real({})}},
      {.name = "nothing", .attrs = ReduceAttrs{0b10}, .inputs = {real({0, 2})}},
      {.name = "known", .attrs = ReduceAttrs{0b10}, .inputs = {fixed(known)}, .expected = {expected}},
      {.name = "integers",
       .attrs = ReduceAttrs{0b1},
       .inputs = {integers({2}, 0, 3)},
       .error = "[center] expected a floating input (f32 or f64), got i64 [2]"},
  };
}

std::vector<Example> std_examples() {
  const Tensor known = Tensor::from({1, 2, 6, -1, 0, 4}, {2, 3}, {.dtype = DType::f64});
  const Tensor expected = Tensor::from({std::sqrt(7.0), std::sqrt(7.0)}, {2, 1}, {.dtype = DType::f64});
  return {
      {.name = "rows", .attrs = VarAttrs{0b10, 1.0}, .inputs = {real({3, 17})}},
      {.name = "columns", .attrs = VarAttrs{0b01, 0.0}, .inputs = {real({4, 5})}},
      {.name = "first and last", .attrs = VarAttrs{0b101, 1.0}, .inputs = {real({2, 3, 4})}},
      {.name = "scalar", .attrs = VarAttrs{0, 0.0}, .inputs = {real({})}},
      {.name = "nothing of nothing", .attrs = VarAttrs{0b10, 1.0}, .inputs = {real({0, 2})}},
      {.name = "known", .attrs = VarAttrs{0b10, 1.0}, .inputs = {fixed(known)}, .expected = {expected}},
      {.name = "of one",
       .attrs = VarAttrs{0b10, 0.0},
       .inputs = {real({3, 1})},
       .expected = {zeros({3, 1}, {.dtype = DType::f64})},
       .no_differences = "a standard deviation of 0: a kink"},
      {.name = "integers",
       .attrs = VarAttrs{0b1, 1.0},
       .inputs = {integers({2}, 0, 3)},
       .error = "[stddev] expected a floating input (f32 or f64), got i64 [2]"},
  };
}

void moment_shape(ShapeArgs& s) {
  const auto& a = s.attrs<VarAttrs>();
  GRADUS_CHECK(a.correction >= 0.0, "[", s.op_name(), "] expected a correction >= 0, got ", a.correction);
  rules::require_floating(s, 0, "input");
  rules::reduction(s, a.axes, s.dtype(0));
}

}  // namespace

const OpDef center_op = {
    .name = "center",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          rules::unary(s);
          rules::require_axes(s, s.attrs<ReduceAttrs>().axes);
        },
    .forward =
        [](ForwardArgs& f) {
          kernels::center(f.in(0), reduced_shape(f.in(0).shape(), f.attrs<ReduceAttrs>().axes), f.out(0));
        },
    .derivative = [](VjpArgs& v) { v.set(0, center(v.cotangent(), v.attrs<ReduceAttrs>().axes)); },
    .examples = center_examples,
    .onnx =
        [](OnnxArgs& o) {
          const uint32_t axes = o.attrs<ReduceAttrs>().axes;
          onnx_reduce(o, "ReduceMean", o.in(0), axes);
          o.out(0, o.node("Sub", {o.in(0), o.given()[0]}));
        },
};

const OpDef var_op = {
    .name = "var",
    .input_names = {"x"},
    .shape = moment_shape,
    .forward =
        [](ForwardArgs& f) { kernels::variance(f.in(0), f.attrs<VarAttrs>().correction, kernels::Root::no, f.out(0)); },
    .derivative =
        [](VjpArgs& v) {
          const auto& a = v.attrs<VarAttrs>();
          const Variable centred = center(v.in(0), a.axes);
          v.set(0, centred * (2.0 / divisor(v.in_shape(0), a) * v.cotangent()));
        },
    .saves = {.inputs = 0b1},
    .reference =
        [](const Attrs& attrs, InputSpan inputs, Variable* outputs) {
          const auto& a = attrs.as<VarAttrs>();
          const Shape& shape = inputs[0]->shape();
          // Divided before it is squared, because the sum of squares may be too large for the dtype where the variance
          // is not.
          const double d = divisor(shape, a);
          const Variable scaled = 1.0 / std::sqrt(d) * center(*inputs[0], a.axes);
          const Variable squares = sum_to(square(scaled), reduced_shape(shape, a.axes));
          outputs[0] = std::isnan(d) ? d * squares : squares;
        },
    .examples = var_examples,
};

const OpDef stddev_op = {
    .name = "stddev",
    .input_names = {"x"},
    .shape = moment_shape,
    .forward =
        [](ForwardArgs& f) {
          kernels::variance(f.in(0), f.attrs<VarAttrs>().correction, kernels::Root::yes, f.out(0));
        },
    .derivative =
        [](VjpArgs& v) {
          const auto& a = v.attrs<VarAttrs>();
          const double root = std::sqrt(divisor(v.in_shape(0), a));
          const Variable norms = root * v.out(0);
          const Variable g = 1.0 / root * v.cotangent();
          v.set(0, norm_backward({a.axes, 2.0}, center(v.in(0), a.axes), g, norms));
        },
    .saves = {.inputs = 0b1, .outputs = 0b1},
    .reference =
        [](const Attrs& attrs, InputSpan inputs, Variable* outputs) {
          const auto& a = attrs.as<VarAttrs>();
          const Variable centred = center(*inputs[0], a.axes);
          const Variable norms = apply(norm_op, NormAttrs{a.axes, 2.0}, {&centred});
          outputs[0] = 1.0 / std::sqrt(divisor(centred.shape(), a)) * norms;
        },
    .examples = std_examples,
};

Variable center(const Variable& x, uint32_t axes) { return apply(center_op, ReduceAttrs{axes}, {&x}); }

Variable var(const Variable& x, const Axes& axes, VarOptions options) {
  const detail::CalledAs called("var");
  return moment(var_op, x, axes_mask(x, axes, "var"), options);
}
Variable var(const Variable& x, VarOptions options) {
  const detail::CalledAs called("var");
  return moment(var_op, x, all_axes(x), options);
}

Variable stddev(const Variable& x, const Axes& axes, VarOptions options) {
  const detail::CalledAs called("stddev");
  return moment(stddev_op, x, axes_mask(x, axes, "stddev"), options);
}
Variable stddev(const Variable& x, VarOptions options) {
  const detail::CalledAs called("stddev");
  return moment(stddev_op, x, all_axes(x), options);
}

}  // namespace gradus

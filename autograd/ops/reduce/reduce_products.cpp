// SPDX-License-Identifier: MIT
// prod: y = product of x over a set of axes;  dx_i = g prod_{j != i} x_j, which is prod_backward(x, g): it does not
// divide, so zeros are right. The reference multiplies two halves, again and again, so that a derivative of any order
// can pass through it.
// cumsum: y_i = x_0 + ... + x_i;  dx_i = g_i + ... + g_{n-1}, the cumsum of g from the other end. Exclusive, y_i and
// dx_i leave out x_i and g_i.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/reduce/reduce_axes.hpp>
#include <gradus/autograd/ops/reduce/scan.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/reduce/tensor_reduce.hpp>

namespace gradus {
namespace {

using scans::ScanAttrs;
using scans::ScanForm;
using scans::ScanOrder;

// The product along one axis, kept with size 1.
Variable product_of_axis(const Variable& x, int axis) {
  Variable rest = x;
  while (rest.shape()[axis] > 1) {
    const int64_t size = rest.shape()[axis];
    const Variable pairs = narrow(rest, axis, 0, size / 2) * narrow(rest, axis, size / 2, size / 2);
    rest = size % 2 == 0 ? pairs : concat({pairs, narrow(rest, axis, size - 1, 1)}, axis);
  }
  return rest;
}

void prod_reference(const Attrs& attrs, InputSpan inputs, Variable* outputs) {
  const uint32_t axes = attrs.as<ReduceAttrs>().axes;
  Variable y = *inputs[0];
  if (y.numel() == 0) {
    outputs[0] = ones(reduced_shape(y.shape(), axes), {.dtype = y.dtype()});
    return;
  }
  for (int axis = 0; axis < y.rank(); ++axis) {
    if (in_mask(axes, axis)) y = product_of_axis(y, axis);
  }
  outputs[0] = y;
}

Variable prod_backward(const Attrs& attrs, const Variable& x, const Variable& g) {
  return apply(prod_backward_op, attrs, {&x, &g});
}

Tensor with_zeros() { return Tensor::from({2, 0, 3, 0, 5, 0, 4, 3, 2}, {3, 3}, {.dtype = DType::f64}); }

std::vector<Example> prod_examples() {
  return {
      {.name = "rows", .attrs = ReduceAttrs{0b10}, .inputs = {real({3, 17}, positive())}},
      {.name = "columns", .attrs = ReduceAttrs{0b01}, .inputs = {real({4, 5})}},
      {.name = "first and last", .attrs = ReduceAttrs{0b101}, .inputs = {real({2, 3, 3})}},
      {.name = "none", .attrs = ReduceAttrs{0}, .inputs = {real({3})}},
      {.name = "scalar", .attrs = ReduceAttrs{0}, .inputs = {real({})}},
      {.name = "over nothing", .attrs = ReduceAttrs{0b1}, .inputs = {real({0, 2})}},
      {.name = "one zero, two zeros, none",
       .attrs = ReduceAttrs{0b10},
       .inputs = {fixed(with_zeros())},
       .expected = {Tensor::from({0, 0, 24}, {3, 1}, {.dtype = DType::f64})}},
      {.name = "integers",
       .attrs = ReduceAttrs{0b1},
       .inputs = {fixed(Tensor::from({3, -4}, {2}, {.dtype = DType::i64}))},
       .expected = {Tensor::from({-12}, {1}, {.dtype = DType::i64})}},
      {.name = "no such axis",
       .attrs = ReduceAttrs{0b10},
       .inputs = {real({2})},
       .error = "[prod] an axis is out of range of f64 [2]"},
  };
}

std::vector<Example> prod_backward_examples() {
  return {
      {.name = "rows", .attrs = ReduceAttrs{0b10}, .inputs = {real({2, 9}, positive()), real({2, 1})}},
      {.name = "columns", .attrs = ReduceAttrs{0b01}, .inputs = {real({4, 5}), real({1, 5})}},
      {.name = "first and last", .attrs = ReduceAttrs{0b101}, .inputs = {real({2, 3, 2}), real({1, 3, 1})}},
      {.name = "scalar", .attrs = ReduceAttrs{0}, .inputs = {real({}), real({})}},
      {.name = "over nothing", .attrs = ReduceAttrs{0b1}, .inputs = {real({0, 2}), real({1, 2})}},
      {.name = "zeros", .attrs = ReduceAttrs{0b10}, .inputs = {fixed(with_zeros()), real({3, 1})}},
      {.name = "cotangent of another shape",
       .attrs = ReduceAttrs{0b10},
       .inputs = {real({3, 4}), real({1, 4})},
       .error = "[prod_backward] wrong shape of the cotangent: expected [3, 1], got f64 [1, 4]"},
  };
}

std::vector<Example> cumsum_examples() {
  const ScanForm up{};
  const ScanForm down{.order = ScanOrder::reverse};
  const ScanForm before{.exclusive = true};
  const ScanForm after{.order = ScanOrder::reverse, .exclusive = true};
  return {
      {.name = "rows", .attrs = ScanAttrs{1, up}, .inputs = {real({3, 17})}},
      {.name = "first axis", .attrs = ScanAttrs{0, up}, .inputs = {real({4, 5})}},
      {.name = "middle, reverse", .attrs = ScanAttrs{1, down}, .inputs = {real({2, 3, 4})}},
      {.name = "wider than a strip, reverse", .attrs = ScanAttrs{0, down}, .inputs = {real({3, 67})}},
      {.name = "exclusive", .attrs = ScanAttrs{-1, before}, .inputs = {real({2, 9})}},
      {.name = "exclusive, first axis, reverse", .attrs = ScanAttrs{0, after}, .inputs = {real({4, 3})}},
      {.name = "one", .attrs = ScanAttrs{0, up}, .inputs = {real({1})}},
      {.name = "empty axis", .attrs = ScanAttrs{0, up}, .inputs = {real({0, 2})}},
      {.name = "no rows", .attrs = ScanAttrs{1, up}, .inputs = {real({0, 2})}},
      {.name = "scalar",
       .attrs = ScanAttrs{0, up},
       .inputs = {real({})},
       .error = "[cumsum] axis out of range: expected no axis, since the rank is 0, got 0"},
      {.name = "integers",
       .attrs = ScanAttrs{0, up},
       .inputs = {fixed(Tensor::from({3, -4, 2}, {3}, {.dtype = DType::i64}))},
       .expected = {Tensor::from({3, -1, 1}, {3}, {.dtype = DType::i64})}},
      {.name = "integers, exclusive, reverse",
       .attrs = ScanAttrs{0, after},
       .inputs = {fixed(Tensor::from({3, -4, 2}, {3}, {.dtype = DType::i64}))},
       .expected = {Tensor::from({-2, 2, 0}, {3}, {.dtype = DType::i64})}},
  };
}

}  // namespace

const OpDef prod_op = {
    .name = "prod",
    .input_names = {"x"},
    .shape = [](ShapeArgs& s) { rules::reduction(s, s.attrs<ReduceAttrs>().axes, dtype_of_sum(s.dtype(0))); },
    .forward = [](ForwardArgs& f) { kernels::reduce(kernels::ReduceFn::prod, f.in(0).to(f.out(0).dtype()), f.out(0)); },
    .derivative = [](VjpArgs& v) { v.set(0, prod_backward(v.raw_attrs(), v.in(0), v.cotangent())); },
    .saves = {.inputs = 0b1},
    .reference = prod_reference,
    .examples = prod_examples,
    .onnx =
        [](OnnxArgs& o) {
          if (o.in_dtype(0) == DType::boolean) return o.use_reference();
          onnx_reduce(o, "ReduceProd", o.in(0), o.attrs<ReduceAttrs>().axes);
        },
};

const OpDef prod_backward_op = {
    .name = "prod_backward",
    .input_names = {"x", "g"},
    .shape =
        [](ShapeArgs& s) {
          rules::require_floating(s, 0, "input");
          rules::require_same_dtype(s, 0, 1);
          rules::require_shape(s, 1, reduced_shape(s.shape(0), s.attrs<ReduceAttrs>().axes), "the cotangent");
          s.output(s.shape(0), s.dtype(0));
        },
    .forward = [](ForwardArgs& f) { kernels::prod_backward(f.in(0), f.in(1), f.out(0)); },
    .derivative = vjp_via_reference,
    .saves = {.inputs = 0b11},
    .reference =
        [](const Attrs& attrs, InputSpan inputs, Variable* outputs) {
          const Variable cotangents[1] = {*inputs[1]};
          reference_of_backward(prod_op, attrs, inputs.first(1), cotangents, 0b1, std::span<Variable>(outputs, 1));
        },
    .examples = prod_backward_examples,
};

const OpDef cumsum_op = {
    .name = "cumsum",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          s.output(s.shape(0), dtype_of_sum(s.dtype(0)));
          normalize_axis(s.attrs<ScanAttrs>().axis, s.shape(0).rank(), "cumsum");
        },
    .forward =
        [](ForwardArgs& f) {
          const auto& a = f.attrs<ScanAttrs>();
          kernels::cumsum(f.in(0).to(f.out(0).dtype()), normalize_axis(a.axis, f.in(0).rank(), "cumsum"), a.form,
                          f.out(0));
        },
    .derivative =
        [](VjpArgs& v) {
          const auto& a = v.attrs<ScanAttrs>();
          v.set(0, apply(cumsum_op, ScanAttrs{a.axis, {scans::opposite(a.form.order), a.form.exclusive}},
                         {&v.cotangent()}));
        },
    .reference =
        [](const Attrs& attrs, InputSpan inputs, Variable* outputs) {
          outputs[0] = scans::by_steps(*inputs[0], attrs.as<ScanAttrs>(), 0.0,
                                       [](const Variable& sum, const Variable& part) { return add(sum, part); });
        },
    .examples = cumsum_examples,
    .onnx =
        [](OnnxArgs& o) {
          const auto& a = o.attrs<ScanAttrs>();
          if (o.in_dtype(0) == DType::boolean) return o.use_reference();
          o.out(0, o.node("CumSum",
                          {o.in(0), o.graph().constant(full({}, static_cast<double>(a.axis), {.dtype = DType::i64}))},
                          {{"exclusive", a.form.exclusive ? 1 : 0},
                           {"reverse", a.form.order == scans::ScanOrder::reverse ? 1 : 0}}));
        },
};

Variable prod(const Variable& x, const Axes& axes, ReduceOptions options) {
  const detail::CalledAs called("prod");
  return apply_reduction(prod_op, x, axes_mask(x, axes, "prod"), options.keepdim);
}

Variable prod(const Variable& x) {
  const detail::CalledAs called("prod");
  return apply_reduction(prod_op, x, all_axes(x), false);
}

Variable cumsum(const Variable& x, int64_t axis, ScanOptions options) {
  return apply(cumsum_op, ScanAttrs{axis, scans::form_of(options)}, {&x});
}

}  // namespace gradus

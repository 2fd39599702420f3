// SPDX-License-Identifier: MIT
// y = sum or mean of x over a set of axes; inside the op each reduced axis is kept with size 1. dx = the expanded
// cotangent, for a mean divided by the number of elements.
#include <gradus/autograd/ops/reduce/reduce.hpp>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce_axes.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/reduce/tensor_reduce.hpp>

namespace gradus {
namespace {

std::vector<Example> examples(const char* over_nothing) {
  return {
      {.name = "rows", .attrs = ReduceAttrs{0b10}, .inputs = {real({3, 17})}},
      {.name = "columns", .attrs = ReduceAttrs{0b01}, .inputs = {real({4, 5})}},
      {.name = "first and last", .attrs = ReduceAttrs{0b101}, .inputs = {real({2, 3, 4})}},
      {.name = "all", .attrs = ReduceAttrs{0b11}, .inputs = {real({3, 3})}},
      {.name = "none", .attrs = ReduceAttrs{0}, .inputs = {real({3})}},
      {.name = "scalar", .attrs = ReduceAttrs{0}, .inputs = {real({})}},
      {.name = "over nothing", .attrs = ReduceAttrs{0b1}, .inputs = {real({0, 2})}, .no_differences = over_nothing},
      {.name = "every second of eight axes",
       .attrs = ReduceAttrs{0b1010101},
       .inputs = {real({2, 1, 2, 3, 1, 2, 2, 1})}},
  };
}

std::vector<Example> sum_examples() {
  std::vector<Example> out = examples("");
  const Tensor whole = Tensor::from({1, 2, -4, 5, 6, 7}, {2, 3}, {.dtype = DType::i64});
  const Tensor flags = Tensor::from({1, 0, 1, 0, 1, 1}, {2, 3}, {.dtype = DType::boolean});
  out.push_back({.name = "integers",
                 .attrs = ReduceAttrs{0b10},
                 .inputs = {fixed(whole)},
                 .expected = {Tensor::from({-1, 18}, {2, 1}, {.dtype = DType::i64})}});
  out.push_back({.name = "bools are counted",
                 .attrs = ReduceAttrs{0b01},
                 .inputs = {fixed(flags)},
                 .expected = {Tensor::from({1, 1, 2}, {1, 3}, {.dtype = DType::i64})}});
  out.push_back({.name = "no such axis",
                 .attrs = ReduceAttrs{0b10},
                 .inputs = {real({2})},
                 .error = "[sum] an axis is out of range of f64 [2]"});
  return out;
}

std::vector<Example> mean_examples() {
  std::vector<Example> out = examples("NaN");
  out.push_back({.name = "integers",
                 .attrs = ReduceAttrs{0b1},
                 .inputs = {integers({2}, 0, 3)},
                 .error = "[mean] expected a floating input (f32 or f64), got i64 [2]; Tensor::to(DType::f32)"});
  return out;
}

}  // namespace

const OpDef sum_op = {
    .name = "sum",
    .input_names = {"x"},
    .shape = [](ShapeArgs& s) { rules::reduction(s, s.attrs<ReduceAttrs>().axes, dtype_of_sum(s.dtype(0))); },
    .forward = [](ForwardArgs& f) { kernels::sum(f.in(0).to(f.out(0).dtype()), f.out(0)); },
    .derivative = [](VjpArgs& v) { v.set(0, expand(v.cotangent(), v.in_shape(0))); },
    .examples = sum_examples,
    .onnx =
        [](OnnxArgs& o) {
          const bool counts = o.in_dtype(0) == DType::boolean;
          const std::string x = counts ? o.node("Cast", {o.in(0)}, {{"to", kOnnxInt64}}) : o.in(0);
          onnx_reduce(o, "ReduceSum", x, o.attrs<ReduceAttrs>().axes);
        },
};

const OpDef mean_op = {
    .name = "mean",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          rules::require_floating(s, 0, "input");
          rules::reduction(s, s.attrs<ReduceAttrs>().axes, s.dtype(0));
        },
    .forward = [](ForwardArgs& f) { kernels::mean(f.in(0), f.out(0)); },
    .derivative =
        [](VjpArgs& v) {
          const double count = reduced_count(v.in_shape(0), v.attrs<ReduceAttrs>().axes);
          v.set(0, expand((1.0 / count) * v.cotangent(), v.in_shape(0)));
        },
    .examples = mean_examples,
    .onnx = [](OnnxArgs& o) { onnx_reduce(o, "ReduceMean", o.in(0), o.attrs<ReduceAttrs>().axes); },
};

Variable sum(const Variable& x, const Axes& axes, ReduceOptions options) {
  const detail::CalledAs called("sum");
  return apply_reduction(sum_op, x, axes_mask(x, axes, "sum"), options.keepdim);
}

Variable sum(const Variable& x) {
  const detail::CalledAs called("sum");
  return apply_reduction(sum_op, x, all_axes(x), false);
}

Variable mean(const Variable& x, const Axes& axes, ReduceOptions options) {
  const detail::CalledAs called("mean");
  return apply_reduction(mean_op, x, axes_mask(x, axes, "mean"), options.keepdim);
}

Variable mean(const Variable& x) {
  const detail::CalledAs called("mean");
  return apply_reduction(mean_op, x, all_axes(x), false);
}

Variable sum_to(const Variable& x, const Shape& shape) {
  const detail::CalledAs called("sum_to");
  if (x.shape() == shape) return x;
  const int lead = x.rank() - shape.rank();
  uint32_t axes = 0;
  for (int i = 0; i < x.rank(); ++i) {
    if (i < lead || shape[i - lead] != x.shape()[i]) axes |= 1U << i;
  }
  return reshape(apply(sum_op, ReduceAttrs{axes}, {&x}), shape);
}

}  // namespace gradus

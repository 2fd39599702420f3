// SPDX-License-Identifier: MIT
// max, min, argmax, argmin, any, all. With k elements equal to the extreme y, each of them has derivative g / k. This
// is the average of the slopes of a step up and a step down.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/reduce/reduce_axes.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/reduce/tensor_reduce.hpp>

namespace gradus {
namespace {

using kernels::ReduceFn;

void extreme_shape(ShapeArgs& s) {
  const uint32_t axes = s.attrs<ReduceAttrs>().axes;
  rules::require_elements(s, axes, "extreme");
  rules::reduction(s, axes, s.dtype(0));
}

void arg_shape(ShapeArgs& s) {
  const uint32_t axes = s.attrs<ReduceAttrs>().axes;
  rules::require_elements(s, axes, "extreme");
  rules::reduction(s, axes, DType::i64);
}

void bool_shape(ShapeArgs& s) {
  rules::require_dtype(s, 0, DType::boolean, "an input");
  rules::reduction(s, s.attrs<ReduceAttrs>().axes, DType::boolean);
}

// For bools, the largest is whether any is true, and the smallest whether all are.
template <ReduceFn kFn>
void extreme_forward(ForwardArgs& f) {
  if (f.in(0).dtype() != DType::boolean) return kernels::reduce(kFn, f.in(0), f.out(0));
  kFn == ReduceFn::max ? kernels::any(f.in(0), f.out(0)) : kernels::all(f.in(0), f.out(0));
}

// argmax of bools treats them as the integers 0 and 1.
Tensor numbers_of(const Tensor& x) { return x.dtype() == DType::boolean ? x.to(DType::i64) : x; }

void extreme_vjp(VjpArgs& v) {
  const Variable hit = equal(v.in(0), v.out(0));
  const Variable one = ones({}, {.dtype = v.cotangent().dtype()});
  const Variable zero = zeros({}, {.dtype = v.cotangent().dtype()});
  const Variable hits = sum_to(where(hit, one, zero), v.cotangent().shape());
  v.set(0, where(hit, v.cotangent() / hits, zero));
}

constexpr const char* kTie = "a tie: a kink";

Tensor numbers(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::f64});
}

std::vector<Example> extreme_examples(const std::string& name, double of_tie) {
  return {
      {.name = "rows", .attrs = ReduceAttrs{0b10}, .inputs = {real({3, 17}, spaced())}},
      {.name = "columns", .attrs = ReduceAttrs{0b01}, .inputs = {real({4, 5}, spaced())}},
      {.name = "first and last", .attrs = ReduceAttrs{0b101}, .inputs = {real({2, 3, 4}, spaced())}},
      {.name = "all", .attrs = ReduceAttrs{0b11}, .inputs = {real({3, 3}, spaced())}},
      {.name = "none", .attrs = ReduceAttrs{0}, .inputs = {real({3}, spaced())}},
      {.name = "scalar", .attrs = ReduceAttrs{0}, .inputs = {real({})}},
      {.name = "nothing of nothing", .attrs = ReduceAttrs{0b10}, .inputs = {real({0, 2})}},
      {.name = "tie",
       .attrs = ReduceAttrs{0b1},
       .inputs = {fixed(numbers({1, 3, 1, 3}, {4}))},
       .expected = {numbers({of_tie}, {1})},
       .no_differences = kTie},
      {.name = "over nothing",
       .attrs = ReduceAttrs{0b1},
       .inputs = {real({0, 2})},
       .error = "[" + name + "] extreme of no elements: expected no reduced axis of size 0, got f64 [0, 2]"},
      {.name = "integers",
       .attrs = ReduceAttrs{0b1},
       .inputs = {fixed(Tensor::from({1, 3, 2}, {3}, {.dtype = DType::i64}))},
       .expected = {Tensor::from({of_tie}, {1}, {.dtype = DType::i64})}},
      {.name = "bools",
       .attrs = ReduceAttrs{0b1},
       .inputs = {fixed(Tensor::from({1, 0, 1}, {3}, {.dtype = DType::boolean}))},
       .expected = {Tensor::from({of_tie == 3 ? 1.0 : 0.0}, {1}, {.dtype = DType::boolean})}},
  };
}

std::vector<Example> arg_examples(const std::string& name, double first, double second) {
  const double nan = __builtin_nan("");
  const Tensor index = Tensor::from({first, second}, {2, 1}, {.dtype = DType::i64});
  return {
      {.name = "rows", .attrs = ReduceAttrs{0b10}, .inputs = {real({3, 17}, spaced())}},
      {.name = "columns", .attrs = ReduceAttrs{0b01}, .inputs = {real({4, 5}, spaced())}},
      {.name = "flat", .attrs = ReduceAttrs{0b11}, .inputs = {real({3, 3}, spaced())}},
      {.name = "scalar", .attrs = ReduceAttrs{0}, .inputs = {real({})}},
      {.name = "nothing of nothing", .attrs = ReduceAttrs{0b10}, .inputs = {real({0, 2})}},
      {.name = "tie and NaN",
       .attrs = ReduceAttrs{0b10},
       .inputs = {fixed(numbers({1, 3, 1, 3, 2, 5, nan, nan}, {2, 4}))},
       .expected = {index}},
      {.name = "over nothing",
       .attrs = ReduceAttrs{0b1},
       .inputs = {real({0, 2})},
       .error = "[" + name + "] extreme of no elements"},
      {.name = "integers",
       .attrs = ReduceAttrs{0b10},
       .inputs = {fixed(Tensor::from({1, 3, 1, 3, 9, 5, 9, 4}, {2, 4}, {.dtype = DType::i64}))},
       .expected = {Tensor::from({first, first == 1 ? 0.0 : 3.0}, {2, 1}, {.dtype = DType::i64})}},
  };
}

std::vector<Example> bool_examples(const std::string& name, double of_nothing) {
  return {
      {.name = "rows", .attrs = ReduceAttrs{0b10}, .inputs = {booleans({5, 2})}},
      {.name = "columns", .attrs = ReduceAttrs{0b01}, .inputs = {booleans({2, 19})}},
      {.name = "first and last", .attrs = ReduceAttrs{0b101}, .inputs = {booleans({2, 7, 1})}},
      {.name = "scalar", .attrs = ReduceAttrs{0}, .inputs = {booleans({})}},
      {.name = "over nothing",
       .attrs = ReduceAttrs{0b10},
       .inputs = {booleans({2, 0})},
       .expected = {full({2, 1}, of_nothing, {.dtype = DType::boolean})}},
      {.name = "numbers",
       .attrs = ReduceAttrs{0b1},
       .inputs = {real({2})},
       .error = "[" + name + "] expected an input of dtype bool, got f64 [2]"},
  };
}

// ONNX reduces no bools.
void onnx_reduce_bools(OnnxArgs& o, const char* type, uint32_t axes) {
  if (o.in_dtype(0) != DType::boolean) return onnx_reduce(o, type, o.in(0), axes);
  onnx_reduce(o, type, o.node("Cast", {o.in(0)}, {{"to", kOnnxInt64}}), axes);
  o.out(0, o.node("Cast", {o.given()[0]}, {{"to", kOnnxBool}}));
}

void onnx_position(OnnxArgs& o, const char* type, uint32_t axes) {
  const std::vector<int64_t> reduced = onnx_axes(axes);
  if (reduced.size() == 1) {
    return o.out(0, o.node(type, {o.in(0)}, {{"axis", reduced[0]}, {"keepdims", 1}}));
  }
  const std::string flat = o.node("Reshape", {o.in(0), o.integers({-1})});
  const std::string position = o.node(type, {flat}, {{"axis", 0}, {"keepdims", 0}});
  o.out(0, o.node("Reshape", {position, o.sizes(o.out_shape(0))}));
}

}  // namespace

const OpDef max_op = {
    .name = "max",
    .input_names = {"x"},
    .shape = extreme_shape,
    .forward = extreme_forward<ReduceFn::max>,
    .derivative = extreme_vjp,
    .saves = {.inputs = 0b1, .outputs = 0b1},
    .examples = [] { return extreme_examples("max", 3); },
    .onnx = [](OnnxArgs& o) { onnx_reduce_bools(o, "ReduceMax", o.attrs<ReduceAttrs>().axes); },
};

const OpDef min_op = {
    .name = "min",
    .input_names = {"x"},
    .shape = extreme_shape,
    .forward = extreme_forward<ReduceFn::min>,
    .derivative = extreme_vjp,
    .saves = {.inputs = 0b1, .outputs = 0b1},
    .examples = [] { return extreme_examples("min", 1); },
    .onnx = [](OnnxArgs& o) { onnx_reduce_bools(o, "ReduceMin", o.attrs<ReduceAttrs>().axes); },
};

const OpDef argmax_op = {
    .name = "argmax",
    .input_names = {"x"},
    .shape = arg_shape,
    .forward = [](ForwardArgs& f) { kernels::argmax(numbers_of(f.in(0)), f.out(0)); },
    .derivative = Derivative::discrete_output(),
    .examples = [] { return arg_examples("argmax", 1, 2); },
    .onnx = [](OnnxArgs& o) { onnx_position(o, "ArgMax", o.attrs<ReduceAttrs>().axes); },
};

const OpDef argmin_op = {
    .name = "argmin",
    .input_names = {"x"},
    .shape = arg_shape,
    .forward = [](ForwardArgs& f) { kernels::argmin(numbers_of(f.in(0)), f.out(0)); },
    .derivative = Derivative::discrete_output(),
    .examples = [] { return arg_examples("argmin", 0, 2); },
    .onnx = [](OnnxArgs& o) { onnx_position(o, "ArgMin", o.attrs<ReduceAttrs>().axes); },
};

const OpDef any_op = {
    .name = "any",
    .input_names = {"x"},
    .shape = bool_shape,
    .forward = [](ForwardArgs& f) { kernels::any(f.in(0), f.out(0)); },
    .derivative = Derivative::discrete_output(),
    .examples = [] { return bool_examples("any", 0); },
    .onnx = [](OnnxArgs& o) { onnx_reduce_bools(o, "ReduceMax", o.attrs<ReduceAttrs>().axes); },
};

const OpDef all_op = {
    .name = "all",
    .input_names = {"x"},
    .shape = bool_shape,
    .forward = [](ForwardArgs& f) { kernels::all(f.in(0), f.out(0)); },
    .derivative = Derivative::discrete_output(),
    .examples = [] { return bool_examples("all", 1); },
    .onnx = [](OnnxArgs& o) { onnx_reduce_bools(o, "ReduceMin", o.attrs<ReduceAttrs>().axes); },
};

Variable max(const Variable& x, const Axes& axes, ReduceOptions options) {
  const detail::CalledAs called("max");
  return apply_reduction(max_op, x, axes_mask(x, axes, "max"), options.keepdim);
}
Variable max(const Variable& x) {
  const detail::CalledAs called("max");
  return apply_reduction(max_op, x, all_axes(x), false);
}

Variable min(const Variable& x, const Axes& axes, ReduceOptions options) {
  const detail::CalledAs called("min");
  return apply_reduction(min_op, x, axes_mask(x, axes, "min"), options.keepdim);
}
Variable min(const Variable& x) {
  const detail::CalledAs called("min");
  return apply_reduction(min_op, x, all_axes(x), false);
}

Variable argmax(const Variable& x, int64_t axis, ReduceOptions options) {
  const detail::CalledAs called("argmax");
  return apply_reduction(argmax_op, x, 1U << normalize_axis(axis, x.rank(), "argmax"), options.keepdim);
}
Variable argmax(const Variable& x) {
  const detail::CalledAs called("argmax");
  return apply_reduction(argmax_op, x, all_axes(x), false);
}

Variable argmin(const Variable& x, int64_t axis, ReduceOptions options) {
  const detail::CalledAs called("argmin");
  return apply_reduction(argmin_op, x, 1U << normalize_axis(axis, x.rank(), "argmin"), options.keepdim);
}
Variable argmin(const Variable& x) {
  const detail::CalledAs called("argmin");
  return apply_reduction(argmin_op, x, all_axes(x), false);
}

Variable any(const Variable& x, const Axes& axes, ReduceOptions options) {
  const detail::CalledAs called("any");
  return apply_reduction(any_op, x, axes_mask(x, axes, "any"), options.keepdim);
}
Variable any(const Variable& x) {
  const detail::CalledAs called("any");
  return apply_reduction(any_op, x, all_axes(x), false);
}

Variable all(const Variable& x, const Axes& axes, ReduceOptions options) {
  const detail::CalledAs called("all");
  return apply_reduction(all_op, x, axes_mask(x, axes, "all"), options.keepdim);
}
Variable all(const Variable& x) {
  const detail::CalledAs called("all");
  return apply_reduction(all_op, x, all_axes(x), false);
}

}  // namespace gradus

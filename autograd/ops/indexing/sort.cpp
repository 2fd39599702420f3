// SPDX-License-Identifier: MIT
// v[j] = x[i_j], where i_j are the positions in sorted order (all of them, or the first k). dx has the cotangent of v
// at i_j and zero elsewhere: a scatter_add at indices that are all different.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/movement/sort.hpp>

namespace gradus {
namespace {

struct SortAttrs {
  int64_t axis;
  bool descending;
  int64_t count = -1;  // the number of sorted elements; -1: all
};

void sorted_shape(ShapeArgs& s) {
  const auto& a = s.attrs<SortAttrs>();
  const int axis = normalize_axis(a.axis, s.shape(0).rank(), s.op_name());
  const int64_t size = s.shape(0)[axis];
  GRADUS_CHECK(a.count >= -1 && a.count <= size, "[", s.op_name(), "] expected 0 <= k <= ", size, ", got ", a.count,
               " for axis ", axis, " of ", s.describe(0));
  const Shape out = s.shape(0).with(axis, a.count < 0 ? size : a.count);
  s.output(out, s.dtype(0));
  s.output(out, DType::i64);
}

void sorted_forward(ForwardArgs& f) {
  const auto& a = f.attrs<SortAttrs>();
  kernels::sort(f.in(0), normalize_axis(a.axis, f.in(0).rank(), "sort"), a.descending, f.out(0), f.out(1));
}

void sorted_onnx(OnnxArgs& o) {
  const auto& a = o.attrs<SortAttrs>();
  const std::string count = o.integers({o.out_shape(0)[normalize_axis(a.axis, o.in_shape(0).rank(), "sort")]});
  const OnnxArgs::Names sorted =
      o.graph().nodes("TopK", {o.in(0), count}, 2, {{"axis", a.axis}, {"largest", a.descending ? 1 : 0}});
  o.out(0, sorted[0]);
  o.out(1, sorted[1]);
}

void sorted_vjp(VjpArgs& v) {
  const Shape& shape = v.in_shape(0);
  const Variable zero = expand(zeros({}, {.dtype = v.cotangent().dtype()}), shape);
  v.set(0, scatter_add(zero, v.attrs<SortAttrs>().axis, v.out(1), v.cotangent()));
}

std::vector<Example> sort_examples() {
  const Tensor ties = Tensor::from({2, 1, 2, 1, 3}, {5}, {.dtype = DType::f64});
  return {
      {.name = "rows", .attrs = SortAttrs{-1, false}, .inputs = {real({3, 5}, spaced())}},
      {.name = "columns, descending", .attrs = SortAttrs{0, true}, .inputs = {real({4, 3}, spaced())}},
      {.name = "middle axis", .attrs = SortAttrs{1, false}, .inputs = {real({2, 3, 2}, spaced())}},
      {.name = "one past a vector", .attrs = SortAttrs{0, true}, .inputs = {real({17}, spaced())}},
      {.name = "one element", .attrs = SortAttrs{0, false}, .inputs = {real({1})}},
      {.name = "empty", .attrs = SortAttrs{0, false}, .inputs = {real({0, 3})}},
      {.name = "ties",
       .attrs = SortAttrs{0, true},
       .inputs = {fixed(ties)},
       .expected = {Tensor::from({3, 2, 2, 1, 1}, {5}, {.dtype = DType::f64}),
                    Tensor::from({4, 0, 2, 1, 3}, {5}, {.dtype = DType::i64})},
       .no_differences = "two elements are equal"},
      {.name = "scalar", .attrs = SortAttrs{0, false}, .inputs = {real({})}, .error = "[sort] axis out of range"},
      {.name = "integers",
       .attrs = SortAttrs{0, false},
       .inputs = {fixed(Tensor::from({3, -1, 2}, {3}, {.dtype = DType::i64}))},
       .expected = {Tensor::from({-1, 2, 3}, {3}, {.dtype = DType::i64}),
                    Tensor::from({1, 2, 0}, {3}, {.dtype = DType::i64})}},
  };
}

std::vector<Example> topk_examples() {
  return {
      {.name = "rows", .attrs = SortAttrs{-1, true, 2}, .inputs = {real({3, 5}, spaced())}},
      {.name = "smallest of columns", .attrs = SortAttrs{0, false, 3}, .inputs = {real({4, 2}, spaced())}},
      {.name = "few of many", .attrs = SortAttrs{0, true, 2}, .inputs = {real({17}, spaced())}},
      {.name = "one of one", .attrs = SortAttrs{0, true, 1}, .inputs = {real({1})}},
      {.name = "none", .attrs = SortAttrs{1, true, 0}, .inputs = {real({2, 3}, spaced())}},
      {.name = "too many",
       .attrs = SortAttrs{1, true, 4},
       .inputs = {real({2, 3})},
       .error = "[topk] expected 0 <= k <= 3, got 4 for axis 1 of f64 [2, 3]"},
  };
}

Sorted sorted(const OpDef& op, const Variable& x, const SortAttrs& attrs) {
  Variable outputs[2];
  const Variable* input = &x;
  apply_into(op, attrs, InputSpan(&input, 1), outputs);
  return {outputs[0], outputs[1]};
}

}  // namespace

const OpDef sort_op = {
    .name = "sort",
    .input_names = {"x"},
    .shape = sorted_shape,
    .forward = sorted_forward,
    .derivative = sorted_vjp,
    .saves = {.outputs = 0b10},
    .examples = sort_examples,
    .onnx = sorted_onnx,
};

const OpDef topk_op = {
    .name = "topk",
    .input_names = {"x"},
    .shape = sorted_shape,
    .forward = sorted_forward,
    .derivative = sorted_vjp,
    .saves = {.outputs = 0b10},
    .examples = topk_examples,
    .onnx = sorted_onnx,
};

Variable argsort(const Variable& x, SortOptions options) {
  const detail::CalledAs called("argsort");
  return sort(x, options).indices;
}

Sorted sort(const Variable& x, SortOptions options) {
  return sorted(sort_op, x, SortAttrs{options.axis, options.descending});
}

Sorted topk(const Variable& x, int64_t k, TopkOptions options) {
  GRADUS_CHECK(k >= 0, "[topk] expected k >= 0, got ", k);
  return sorted(topk_op, x, SortAttrs{options.axis, options.largest, k});
}

}  // namespace gradus

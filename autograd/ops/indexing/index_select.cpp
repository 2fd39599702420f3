// SPDX-License-Identifier: MIT
// y[.., j, ..] = x[.., indices[j], ..], and z = x with source[.., j, ..] added to z[.., indices[j], ..]: whole slices
// along one axis. Each is the other's vjp: dx = index_add(0, g); dx = g, dsource = index_select(g).
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/movement/copy.hpp>
#include <gradus/tensor/kernels/movement/indexing.hpp>

namespace gradus {
namespace {

struct SelectAttrs {
  int64_t axis;
};

struct AddAttrs {
  int64_t axis;
  int64_t size;  // of the axis in the output
};

int axis_of(const ShapeArgs& s, int input, int64_t axis) {
  return normalize_axis(axis, s.shape(input).rank(), s.op_name());
}

void add_shape(ShapeArgs& s) {
  const auto& a = s.attrs<AddAttrs>();
  rules::require_numbers(s, 2, "a source");
  const int axis = axis_of(s, 2, a.axis);
  rules::require_dtype(s, 1, DType::i64, "indices");
  rules::require_shape(s, 1, {s.shape(2)[axis]}, "indices");
  const Shape out = s.shape(2).with(axis, a.size);
  if (s.has(0)) {
    rules::require_same_dtype(s, 0, 2);
    rules::require_shape(s, 0, out, "x");
  }
  s.output(out, s.dtype(2));
}

std::vector<Example> select_examples() {
  const Tensor bad = Tensor::from({0, 3}, {2}, {.dtype = DType::i64});
  return {
      {.name = "rows", .attrs = SelectAttrs{0}, .inputs = {real({3, 4}), integers({5}, -3, 3)}},
      {.name = "middle axis", .attrs = SelectAttrs{-2}, .inputs = {real({2, 3, 4}), integers({4}, 0, 3)}},
      {.name = "one past a vector", .attrs = SelectAttrs{0}, .inputs = {real({17}), integers({9}, 0, 17)}},
      {.name = "one element", .attrs = SelectAttrs{1}, .inputs = {real({1, 1}), integers({1}, 0, 1)}},
      {.name = "no index", .attrs = SelectAttrs{1}, .inputs = {real({2, 3}), integers({0}, 0, 3)}},
      {.name = "empty slices", .attrs = SelectAttrs{0}, .inputs = {real({2, 0}), integers({3}, 0, 2)}},
      {.name = "index out of range",
       .attrs = SelectAttrs{0},
       .inputs = {real({3, 2}), fixed(bad)},
       .error = "[index_select] index out of range: expected -3 <= index < 3, got 3 at position 1"},
      {.name = "indices of rank 2",
       .attrs = SelectAttrs{0},
       .inputs = {real({3, 2}), integers({2, 2}, 0, 3)},
       .error = "[index_select] expected indices of rank 1, got i64 [2, 2]"},
      {.name = "indices of numbers",
       .attrs = SelectAttrs{0},
       .inputs = {real({3, 2}), real({2})},
       .error = "[index_select] expected indices of dtype i64, got f64 [2]"},
  };
}

std::vector<Example> add_examples() {
  return {
      {.name = "repeated rows", .attrs = AddAttrs{0, 3}, .inputs = {real({3, 4}), integers({5}, -3, 3), real({5, 4})}},
      {.name = "into zeros, middle axis",
       .attrs = AddAttrs{1, 4},
       .inputs = {absent(), integers({3}, 0, 4), real({2, 3, 2})}},
      {.name = "one past a vector",
       .attrs = AddAttrs{-1, 3},
       .inputs = {real({17, 3}), integers({1}, 0, 3), real({17, 1})}},
      {.name = "nothing added", .attrs = AddAttrs{0, 3}, .inputs = {real({3, 2}), integers({0}, 0, 3), real({0, 2})}},
      {.name = "empty", .attrs = AddAttrs{0, 3}, .inputs = {real({3, 0}), integers({2}, 0, 3), real({2, 0})}},
      {.name = "x of another shape",
       .attrs = AddAttrs{0, 3},
       .inputs = {real({3, 2}), integers({2}, 0, 3), real({2, 4})},
       .error = "[index_add] wrong shape of x: expected [3, 4], got f64 [3, 2]"},
      {.name = "too many indices",
       .attrs = AddAttrs{0, 3},
       .inputs = {real({3, 2}), integers({3}, 0, 3), real({2, 2})},
       .error = "[index_add] wrong shape of indices: expected [2], got i64 [3]"},
  };
}

}  // namespace

const OpDef index_select_op = {
    .name = "index_select",
    .input_names = {"x", "indices"},
    .shape =
        [](ShapeArgs& s) {
          const int axis = axis_of(s, 0, s.attrs<SelectAttrs>().axis);
          rules::require_dtype(s, 1, DType::i64, "indices");
          rules::require_rank(s, 1, 1, "indices");
          s.output(s.shape(0).with(axis, s.shape(1)[0]), s.dtype(0));
        },
    .forward =
        [](ForwardArgs& f) {
          const int axis = normalize_axis(f.attrs<SelectAttrs>().axis, f.in(0).rank(), "index_select");
          kernels::select_along_axis(f.in(0), f.in(1), axis, f.out(0), "index_select");
        },
    .derivative =
        [](VjpArgs& v) {
          const int axis = normalize_axis(v.attrs<SelectAttrs>().axis, v.in_shape(0).rank(), "index_select");
          const Variable nothing;
          const Variable indices = v.in(1);
          v.set(0, apply(index_add_op, AddAttrs{axis, v.in_shape(0)[axis]}, {&nothing, &indices, &v.cotangent()}));
        },
    .saves = {.inputs = 0b10},
    .examples = select_examples,
    .onnx =
        [](OnnxArgs& o) {
          o.become("Gather", {{"axis", o.attrs<SelectAttrs>().axis}});
        },
};

const OpDef index_add_op = {
    .name = "index_add",
    .input_names = {"x", "indices", "source"},
    .shape = add_shape,
    .forward =
        [](ForwardArgs& f) {
          if (f.has(0)) {
            kernels::copy(f.in(0), f.out(0));
          } else {
            kernels::fill(f.out(0), 0.0);
          }
          const int axis = normalize_axis(f.attrs<AddAttrs>().axis, f.in(2).rank(), "index_add");
          kernels::add_along_axis(f.in(2), f.in(1), axis, f.out(0), "index_add");
        },
    .derivative =
        [](VjpArgs& v) {
          v.set(0, v.cotangent());
          if (v.needs(2)) v.set(2, index_select(v.cotangent(), v.attrs<AddAttrs>().axis, v.in(1)));
        },
    .saves = {.inputs = 0b10},
    .optional_inputs = 0b1,
    .examples = add_examples,
};

Variable index_select(const Variable& x, int64_t axis, const Variable& indices) {
  return apply(index_select_op, SelectAttrs{axis}, {&x, &indices});
}

Variable index_add(const Variable& x, int64_t axis, const Variable& indices, const Variable& source) {
  const detail::CalledAs called("index_add");
  const int at = normalize_axis(axis, x.rank(), "index_add");
  return apply(index_add_op, AddAttrs{at, x.shape()[at]}, {&x, &indices, &source});
}

Tensor flat_nonzero(const Tensor& mask) {
  const detail::CalledAs called("flat_nonzero");
  GRADUS_CHECK(mask.dtype() == DType::boolean, "[flat_nonzero] expected a mask of dtype bool, got ", describe(mask));
  return kernels::true_positions(mask);
}

// The number of chosen elements depends on the mask's values, which shape rules do not see. So the mask becomes indices
// first.
Variable masked_select(const Variable& x, const Tensor& mask) {
  const detail::CalledAs called("masked_select");
  GRADUS_CHECK(mask.dtype() == DType::boolean, "[masked_select] expected a mask of dtype bool, got ", describe(mask));
  const Shape shape = broadcast_shapes(x.shape(), mask.shape(), "masked_select");
  const Variable flat = reshape(expand(x, shape), {shape.numel()});
  return index_select(flat, 0, flat_nonzero(mask.expand(shape)));
}

}  // namespace gradus

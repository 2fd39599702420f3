// SPDX-License-Identifier: MIT
// y[.., j, ..] = x[.., i, ..] with i = indices[.., j, ..], and z[.., i, ..] = x[.., i, ..] + the sum of source[.., j,
// ..] over all j with indices[.., j, ..] == i. Each is the other's vjp: dx = scatter_add(0, g); dx = g, dsource =
// take_along_axis(g).
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

struct TakeAttrs {
  int64_t axis;
};

struct ScatterAttrs {
  int64_t axis;
  int64_t size;  // of the axis in the output
};

// scatter_add into zeros.
Variable scattered(const Variable& g, const Variable& indices, int64_t axis, int64_t size) {
  const Variable nothing;
  return apply(scatter_add_op, ScatterAttrs{axis, size}, {&nothing, &indices, &g});
}

void take_shape(ShapeArgs& s) {
  const Shape& x = s.shape(0);
  const int axis = normalize_axis(s.attrs<TakeAttrs>().axis, x.rank(), s.op_name());
  rules::require_dtype(s, 1, DType::i64, "indices");
  rules::require_rank(s, 1, x.rank(), "indices");
  rules::require_shape(s, 1, x.with(axis, s.shape(1)[axis]), "indices");
  s.output(s.shape(1), s.dtype(0));
}

void scatter_shape(ShapeArgs& s) {
  const auto& a = s.attrs<ScatterAttrs>();
  const Shape& source = s.shape(2);
  rules::require_numbers(s, 2, "a source");
  const int axis = normalize_axis(a.axis, source.rank(), s.op_name());
  rules::require_dtype(s, 1, DType::i64, "indices");
  rules::require_shape(s, 1, source, "indices");
  const Shape out = source.with(axis, a.size);
  if (s.has(0)) {
    rules::require_same_dtype(s, 0, 2);
    rules::require_shape(s, 0, out, "x");
  }
  s.output(out, s.dtype(2));
}

std::vector<Example> take_examples() {
  const Tensor bad = Tensor::from({0, 1, -4}, {3}, {.dtype = DType::i64});
  const Tensor known = Tensor::from({2, 0, -1, 1}, {2, 2}, {.dtype = DType::i64});
  const Tensor x = Tensor::from({1, 2, 3, 4, 5, 6}, {2, 3}, {.dtype = DType::f64});
  const Tensor taken = Tensor::from({3, 1, 6, 5}, {2, 2}, {.dtype = DType::f64});
  return {
      {.name = "last axis", .attrs = TakeAttrs{-1}, .inputs = {real({3, 5}), integers({3, 4}, -5, 5)}},
      {.name = "middle axis", .attrs = TakeAttrs{1}, .inputs = {real({2, 3, 4}), integers({2, 5, 4}, 0, 3)}},
      {.name = "one past a vector", .attrs = TakeAttrs{0}, .inputs = {real({17}), integers({9}, 0, 17)}},
      {.name = "one element", .attrs = TakeAttrs{0}, .inputs = {real({1, 1}), integers({1, 1}, 0, 1)}},
      {.name = "nothing taken", .attrs = TakeAttrs{0}, .inputs = {real({3, 2}), integers({0, 2}, 0, 3)}},
      {.name = "known", .attrs = TakeAttrs{1}, .inputs = {fixed(x), fixed(known)}, .expected = {taken}},
      {.name = "index out of range",
       .attrs = TakeAttrs{0},
       .inputs = {real({3}), fixed(bad)},
       .error = "[take_along_axis] index out of range: expected -3 <= index < 3, got -4 at position 2"},
      {.name = "other sizes differ",
       .attrs = TakeAttrs{0},
       .inputs = {real({3, 2}), integers({3, 4}, 0, 3)},
       .error = "[take_along_axis] wrong shape of indices: expected [3, 2], got i64 [3, 4]"},
      {.name = "scalar",
       .attrs = TakeAttrs{0},
       .inputs = {real({}), integers({}, 0, 1)},
       .error = "[take_along_axis] axis out of range"},
  };
}

std::vector<Example> scatter_examples() {
  const Tensor bad = Tensor::from({0, 5}, {2}, {.dtype = DType::i64});
  return {
      {.name = "repeated rows",
       .attrs = ScatterAttrs{0, 3},
       .inputs = {real({3, 4}), integers({5, 4}, -3, 3), real({5, 4})}},
      {.name = "into zeros", .attrs = ScatterAttrs{-1, 4}, .inputs = {absent(), integers({2, 3}, 0, 4), real({2, 3})}},
      {.name = "one past a vector",
       .attrs = ScatterAttrs{0, 17},
       .inputs = {real({17}), integers({33}, 0, 17), real({33})}},
      {.name = "one element", .attrs = ScatterAttrs{0, 1}, .inputs = {real({1}), integers({1}, 0, 1), real({1})}},
      {.name = "nothing added",
       .attrs = ScatterAttrs{1, 3},
       .inputs = {real({2, 3}), integers({2, 0}, 0, 3), real({2, 0})}},
      {.name = "index out of range",
       .attrs = ScatterAttrs{0, 4},
       .inputs = {real({4}), fixed(bad), real({2})},
       .error = "[scatter_add] index out of range: expected -4 <= index < 4, got 5 at position 1"},
      {.name = "source of another shape",
       .attrs = ScatterAttrs{0, 4},
       .inputs = {real({4}), integers({2}, 0, 4), real({3})},
       .error = "[scatter_add] wrong shape of indices: expected [3], got i64 [2]"},
      {.name = "x of another shape",
       .attrs = ScatterAttrs{0, 4},
       .inputs = {real({4, 2}), integers({2, 3}, 0, 4), real({2, 3})},
       .error = "[scatter_add] wrong shape of x: expected [4, 3], got f64 [4, 2]"},
  };
}

}  // namespace

const OpDef take_along_axis_op = {
    .name = "take_along_axis",
    .input_names = {"x", "indices"},
    .shape = take_shape,
    .forward =
        [](ForwardArgs& f) {
          const int axis = normalize_axis(f.attrs<TakeAttrs>().axis, f.in(0).rank(), "take_along_axis");
          kernels::take_along_axis(f.in(0), f.in(1), axis, f.out(0), "take_along_axis");
        },
    .derivative =
        [](VjpArgs& v) {
          const int64_t axis = v.attrs<TakeAttrs>().axis;
          const int at = normalize_axis(axis, v.in_shape(0).rank(), "take_along_axis");
          v.set(0, scattered(v.cotangent(), v.in(1), axis, v.in_shape(0)[at]));
        },
    .saves = {.inputs = 0b10},
    .examples = take_examples,
    .onnx =
        [](OnnxArgs& o) {
          o.become("GatherElements", {{"axis", o.attrs<TakeAttrs>().axis}});
        },
};

const OpDef scatter_add_op = {
    .name = "scatter_add",
    .input_names = {"x", "indices", "source"},
    .shape = scatter_shape,
    .forward =
        [](ForwardArgs& f) {
          if (f.has(0)) {
            kernels::copy(f.in(0), f.out(0));
          } else {
            kernels::fill(f.out(0), 0.0);
          }
          const int axis = normalize_axis(f.attrs<ScatterAttrs>().axis, f.in(2).rank(), "scatter_add");
          kernels::scatter_add_along_axis(f.in(2), f.in(1), axis, f.out(0), "scatter_add");
        },
    .derivative =
        [](VjpArgs& v) {
          v.set(0, v.cotangent());
          const TakeAttrs attrs{v.attrs<ScatterAttrs>().axis};
          const Variable indices = v.in(1);
          if (v.needs(2)) v.set(2, apply(take_along_axis_op, attrs, {&v.cotangent(), &indices}));
        },
    .saves = {.inputs = 0b10},
    .optional_inputs = 0b1,
    .examples = scatter_examples,
};

Variable take_along_axis(const Variable& x, int64_t axis, const Variable& indices) {
  const detail::CalledAs called("take_along_axis");
  const int at = normalize_axis(axis, x.rank(), "take_along_axis");
  GRADUS_CHECK(indices.rank() == x.rank(), "[take_along_axis] ranks differ: x is ", describe(x), ", indices are ",
               describe(indices));
  const Shape others = broadcast_shapes(x.shape().with(at, 1), indices.shape().with(at, 1), "take_along_axis");
  const Variable from = expand(x, others.with(at, x.shape()[at]));
  const Variable order = expand(indices, others.with(at, indices.shape()[at]));
  return apply(take_along_axis_op, TakeAttrs{at}, {&from, &order});
}

Variable gather(const Variable& x, int64_t axis, const Variable& indices) {
  const detail::CalledAs called("gather");
  const int at = normalize_axis(axis, x.rank(), "gather");
  GRADUS_CHECK(indices.rank() == x.rank(), "[gather] ranks differ: x is ", describe(x), ", indices are ",
               describe(indices));
  Variable from = x;
  for (int k = 0; k < x.rank(); ++k) {
    const int64_t size = indices.shape()[k];
    if (k == at || size == x.shape()[k]) continue;
    GRADUS_CHECK(size < x.shape()[k], "[gather] indices are larger than x on axis ", k, ": x is ", describe(x),
                 ", indices are ", describe(indices));
    from = narrow(from, k, 0, size);
  }
  return apply(take_along_axis_op, TakeAttrs{at}, {&from, &indices});
}

Variable scatter_add(const Variable& x, int64_t axis, const Variable& indices, const Variable& source) {
  const detail::CalledAs called("scatter_add");
  const int at = normalize_axis(axis, x.rank(), "scatter_add");
  return apply(scatter_add_op, ScatterAttrs{at, x.shape()[at]}, {&x, &indices, &source});
}

}  // namespace gradus

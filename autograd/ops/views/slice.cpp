// SPDX-License-Identifier: MIT
// Parts of a tensor: slice and unbind are views; slice_backward puts a part back into zeros.
//   d slice: slice_backward of the cotangent      d slice_backward: slice      d unbind: stack
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/movement/copy.hpp>

namespace gradus {
namespace {

struct SliceAttrs {
  int64_t axis;
  int64_t start;
  int64_t stop;
  int64_t step;
};

struct PlacedSliceAttrs {
  Shape shape;
  int axis;
  int64_t step;
  int64_t start;
  /// The position after the last of `count` elements; the largest 64-bit number when it does not fit.
  int64_t stop(int64_t count) const {
    int64_t past = start;
    if (count == 0) return past;
    const bool overflow = __builtin_mul_overflow(count - 1, step, &past) || __builtin_add_overflow(past, start, &past);
    return overflow || past == INT64_MAX ? INT64_MAX : past + 1;
  }
};

struct AxisAttrs {
  int64_t axis;
};

void place_shape(ShapeArgs& s) {
  const auto& a = s.attrs<PlacedSliceAttrs>();
  rules::require_floating(s, 0, "cotangent");
  rules::require_rank(s, 0, a.shape.rank(), "cotangent");
  const int64_t count = s.shape(0)[a.axis];
  const Layout part = Layout(a.shape).slice(a.axis, a.start, a.stop(count), a.step);
  rules::require_shape(s, 0, part.shape(), "cotangent");
  s.output(a.shape, s.dtype(0));
}

void unbind_shape(ShapeArgs& s) {
  const int axis = normalize_axis(s.attrs<AxisAttrs>().axis, s.shape(0).rank(), s.op_name());
  const Shape part = s.shape(0).without(axis);
  for (int64_t i = 0; i < s.shape(0)[axis]; ++i) s.output(part, s.dtype(0));
}

}  // namespace

const OpDef slice_op = {
    .name = "slice",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          const auto& a = s.attrs<SliceAttrs>();
          s.output(Layout(s.shape(0)).slice(a.axis, a.start, a.stop, a.step).shape(), s.dtype(0));
        },
    .forward =
        [](ForwardArgs& f) {
          const auto& a = f.attrs<SliceAttrs>();
          f.out(0) = f.in(0).slice(a.axis, a.start, a.stop, a.step);
        },
    .derivative =
        [](VjpArgs& v) {
          const auto& a = v.attrs<SliceAttrs>();
          v.set(0, slice_backward(v.cotangent(), v.in_shape(0), a.axis, a.start, a.step));
        },
    .is_view = true,
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "middle", .attrs = SliceAttrs{1, 1, 3, 1}, .inputs = {real({2, 4, 3})}},
              {.name = "step", .attrs = SliceAttrs{-1, 1, 7, 3}, .inputs = {real({2, 8})}},
              {.name = "nothing", .attrs = SliceAttrs{0, 3, 3, 1}, .inputs = {real({3, 2})}},
              {.name = "beyond",
               .attrs = SliceAttrs{0, 1, 5, 1},
               .inputs = {real({3})},
               .error = "[slice] range out of bounds: expected 0 <= start <= stop <= 3 on axis 0 of [3], got [1, 5)"},
              {.name = "no step",
               .attrs = SliceAttrs{0, 0, 3, 0},
               .inputs = {real({3})},
               .error = "expected a step > 0"},
          };
        },
    .onnx =
        [](OnnxArgs& o) {
          const auto& a = o.attrs<SliceAttrs>();
          o.out(0, o.node("Slice", {o.in(0), o.integers({a.start}), o.integers({a.stop}), o.integers({a.axis}),
                                    o.integers({a.step})}));
        },
};

const OpDef slice_backward_op = {
    .name = "slice_backward",
    .input_names = {"g"},
    .shape = place_shape,
    .forward =
        [](ForwardArgs& f) {
          const auto& a = f.attrs<PlacedSliceAttrs>();
          kernels::fill(f.out(0), 0.0);
          Tensor place = f.out(0).slice(a.axis, a.start, a.stop(f.in(0).shape()[a.axis]), a.step);
          kernels::copy(f.in(0), place);
        },
    .derivative =
        [](VjpArgs& v) {
          const auto& a = v.attrs<PlacedSliceAttrs>();
          v.set(0, slice(v.cotangent(), a.axis, a.start, a.stop(v.in_shape(0)[a.axis]), a.step));
        },
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "middle", .attrs = PlacedSliceAttrs{{2, 5}, 1, 1, 1}, .inputs = {real({2, 3})}},
              {.name = "step", .attrs = PlacedSliceAttrs{{8, 2}, 0, 3, 1}, .inputs = {real({3, 2})}},
              {.name = "nothing", .attrs = PlacedSliceAttrs{{3}, 0, 1, 3}, .inputs = {real({0})}},
              {.name = "too long",
               .attrs = PlacedSliceAttrs{{3}, 0, 1, 1},
               .inputs = {real({3})},
               .error = "range out of bounds"},
          };
        },
};

const OpDef unbind_op = {
    .name = "unbind",
    .input_names = {"x"},
    .shape = unbind_shape,
    .forward =
        [](ForwardArgs& f) {
          const int axis = normalize_axis(f.attrs<AxisAttrs>().axis, f.in(0).rank(), "unbind");
          for (int64_t i = 0; i < f.in(0).shape()[axis]; ++i) f.out(static_cast<int>(i)) = f.in(0).select(axis, i);
        },
    .derivative =
        [](VjpArgs& v) {
          std::vector<Variable> parts;
          parts.reserve(static_cast<size_t>(v.num_outputs()));
          for (int k = 0; k < v.num_outputs(); ++k) parts.push_back(v.cotangent(k));
          v.set(0, stack(parts, v.attrs<AxisAttrs>().axis));
        },
    .is_view = true,
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "middle axis", .attrs = AxisAttrs{1}, .inputs = {real({2, 3, 4})}},
              {.name = "many", .attrs = AxisAttrs{-1}, .inputs = {real({2, 11})}},
              {.name = "vector", .attrs = AxisAttrs{0}, .inputs = {real({3})}},
              {.name = "empty parts", .attrs = AxisAttrs{0}, .inputs = {real({2, 0})}},
              {.name = "no such axis",
               .attrs = AxisAttrs{2},
               .inputs = {real({3, 2})},
               .error = "[unbind] axis out of range: expected an axis in [-2, 1], got 2"},
          };
        },
    .onnx =
        [](OnnxArgs& o) {
          const int64_t axis = o.attrs<AxisAttrs>().axis;
          for (int k = 0; k < o.num_outputs(); ++k) {
            o.out(k, o.node("Gather", {o.in(0), o.graph().constant(full({}, k, {.dtype = DType::i64}))},
                            {{"axis", axis}}));
          }
        },
};

Variable slice(const Variable& x, int64_t axis, int64_t start, int64_t stop, int64_t step) {
  const detail::CalledAs called("slice");
  const AxisRange range = resolve_range(x.shape(), axis, start, stop, "slice");
  return apply(slice_op, SliceAttrs{range.axis, range.start, range.stop, step}, {&x});
}

Variable narrow(const Variable& x, int64_t axis, int64_t start, int64_t length) {
  const detail::CalledAs called("narrow");
  const int at = normalize_axis(axis, x.rank(), "narrow");
  const int64_t size = x.shape()[at];
  const int64_t first = start < 0 ? start + size : start;
  GRADUS_CHECK(0 <= first && first <= size && 0 <= length && length <= size - first,
               "[narrow] range out of bounds: expected start in [", -size, ", ", size,
               "] and as many elements from there on axis ", at, " of ", x.shape(), ", got start ", start,
               " and length ", length);
  return apply(slice_op, SliceAttrs{at, first, first + length, 1}, {&x});
}

Variable select(const Variable& x, int64_t axis, int64_t index) {
  const detail::CalledAs called("select");
  const int at = normalize_axis(axis, x.rank(), "select");
  const int64_t size = x.shape()[at];
  GRADUS_CHECK(index >= -size && index < size, "[select] index out of range: expected an index in [", -size, ", ",
               size - 1, "] on axis ", at, " of ", x.shape(), ", got ", index);
  const int64_t start = index < 0 ? index + size : index;
  return squeeze(slice(x, at, start, start + 1), at);
}

Variable slice_backward(const Variable& g, const Shape& shape, int64_t axis, int64_t start, int64_t step) {
  const detail::CalledAs called("slice_backward");
  const int at = normalize_axis(axis, shape.rank(), "slice_backward");
  return apply(slice_backward_op, PlacedSliceAttrs{shape, at, step, start}, {&g});
}

std::vector<Variable> unbind(const Variable& x, int64_t axis) {
  const detail::CalledAs called("unbind");
  const int at = normalize_axis(axis, x.rank(), "unbind");
  rules::require_output_count(x.shape()[at], "unbind");
  std::vector<Variable> parts(static_cast<size_t>(x.shape()[at]));
  if (parts.empty()) return parts;
  const Variable* input = &x;
  apply_into(unbind_op, AxisAttrs{at}, InputSpan(&input, 1), parts);
  return parts;
}

}  // namespace gradus

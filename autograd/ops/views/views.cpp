// SPDX-License-Identifier: MIT
// Views of the whole tensor: expand, reshape, permute. The derivative is the opposite view, or a sum where an element
// was repeated.
#include <gradus/autograd/ops/views/views.hpp>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/tensor/detail/called_as.hpp>

namespace gradus {
namespace {

struct ShapeAttrs {
  Shape shape;
};

struct AxesAttrs {
  int axes[kMaxRank];
  int rank;
  std::span<const int> span() const { return {axes, static_cast<size_t>(rank)}; }
};

Layout layout_of(const Shape& shape) { return Layout(shape); }

void permute_shape(ShapeArgs& s) {
  s.output(layout_of(s.shape(0)).permute(s.attrs<AxesAttrs>().span()).shape(), s.dtype(0));
}

void reshape_shape(ShapeArgs& s) {
  const Shape& shape = s.attrs<ShapeAttrs>().shape;
  GRADUS_CHECK(shape.numel() == s.shape(0).numel(), "[reshape] element counts differ: input is ", s.describe(0),
               ", asked for ", shape);
  s.output(shape, s.dtype(0));
}

AxesAttrs inverse(const AxesAttrs& forward) {
  AxesAttrs out = forward;
  for (int i = 0; i < forward.rank; ++i) {
    const int axis = forward.axes[i] < 0 ? forward.axes[i] + forward.rank : forward.axes[i];
    out.axes[axis] = i;
  }
  return out;
}

AxesAttrs swapped(int rank, int a, int b) {
  AxesAttrs out{};
  out.rank = rank;
  for (int i = 0; i < rank; ++i) out.axes[i] = i == a ? b : i == b ? a : i;
  return out;
}

}  // namespace

const OpDef expand_op = {
    .name = "expand",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          const Shape& shape = s.attrs<ShapeAttrs>().shape;
          static_cast<void>(layout_of(s.shape(0)).expand(shape));  // refuses what cannot be expanded
          s.output(shape, s.dtype(0));
        },
    .forward = [](ForwardArgs& f) { f.out(0) = f.in(0).expand(f.attrs<ShapeAttrs>().shape); },
    .derivative = [](VjpArgs& v) { v.set(0, sum_to(v.cotangent(), v.in_shape(0))); },
    .is_view = true,
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "new and stretched axes", .attrs = ShapeAttrs{{2, 3, 4}}, .inputs = {real({3, 1})}},
              {.name = "scalar", .attrs = ShapeAttrs{{5}}, .inputs = {real({})}},
              {.name = "nothing to do", .attrs = ShapeAttrs{{2, 3}}, .inputs = {real({2, 3})}},
              {.name = "to empty", .attrs = ShapeAttrs{{0, 3}}, .inputs = {real({1, 3})}},
              {.name = "wrong size",
               .attrs = ShapeAttrs{{2, 4}},
               .inputs = {real({2, 3})},
               .error = "[expand] sizes differ on axis 1: shape is [2, 3], asked for [2, 4]"},
              {.name = "fewer axes",
               .attrs = ShapeAttrs{{3}},
               .inputs = {real({2, 3})},
               .error = "[expand] cannot drop axes: shape is [2, 3], asked for [3]"},
          };
        },
    .onnx =
        [](OnnxArgs& o) {
          o.out(0, o.node("Expand", {o.in(0), o.sizes(o.out_shape(0))}));
        },
};

const OpDef reshape_op = {
    .name = "reshape",
    .input_names = {"x"},
    .shape = reshape_shape,
    .forward = [](ForwardArgs& f) { f.out(0) = f.in(0).reshape(f.attrs<ShapeAttrs>().shape); },
    .derivative = [](VjpArgs& v) { v.set(0, reshape(v.cotangent(), v.in_shape(0))); },
    .is_view = true,
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "merge", .attrs = ShapeAttrs{{6, 4}}, .inputs = {real({2, 3, 4})}},
              {.name = "split", .attrs = ShapeAttrs{{2, 2, 3, 1}}, .inputs = {real({4, 3})}},
              {.name = "to scalar", .attrs = ShapeAttrs{{}}, .inputs = {real({1, 1})}},
              {.name = "empty", .attrs = ShapeAttrs{{3, 0}}, .inputs = {real({0, 2})}},
              {.name = "other count",
               .attrs = ShapeAttrs{{5}},
               .inputs = {real({2, 3})},
               .error = "[reshape] element counts differ: input is f64 [2, 3], asked for [5]"},
          };
        },
    .onnx =
        [](OnnxArgs& o) {
          o.out(0, o.node("Reshape", {o.in(0), o.sizes(o.out_shape(0))}, {{"allowzero", 1}}));
        },
};

const OpDef permute_op = {
    .name = "permute",
    .input_names = {"x"},
    .shape = permute_shape,
    .forward = [](ForwardArgs& f) { f.out(0) = f.in(0).view(f.in(0).layout().permute(f.attrs<AxesAttrs>().span())); },
    .derivative = [](VjpArgs& v) { v.set(0, apply(permute_op, inverse(v.attrs<AxesAttrs>()), {&v.cotangent()})); },
    .is_view = true,
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "rotate", .attrs = AxesAttrs{{2, 0, 1}, 3}, .inputs = {real({2, 3, 4})}},
              {.name = "negative axes", .attrs = AxesAttrs{{-1, 0}, 2}, .inputs = {real({2, 3})}},
              {.name = "scalar", .attrs = AxesAttrs{{}, 0}, .inputs = {real({})}},
              {.name = "empty", .attrs = AxesAttrs{{1, 0}, 2}, .inputs = {real({0, 3})}},
              {.name = "twice",
               .attrs = AxesAttrs{{0, 0}, 2},
               .inputs = {real({2, 3})},
               .error = "[permute] axis 0 is named twice"},
              {.name = "too few",
               .attrs = AxesAttrs{{0}, 1},
               .inputs = {real({2, 3})},
               .error = "[permute] wrong number of axes: expected 2, got 1"},
          };
        },
    .onnx =
        [](OnnxArgs& o) {
          std::vector<int64_t> axes;
          for (const int axis : o.attrs<AxesAttrs>().span())
            axes.push_back(axis < 0 ? axis + o.in_shape(0).rank() : axis);
          o.become("Transpose", {{"perm", axes}});
        },
};

Variable expand(const Variable& x, const Shape& shape) {
  const detail::CalledAs called("expand");
  if (x.shape() == shape) return x;
  return apply(expand_op, ShapeAttrs{shape}, {&x});
}

Variable reshape(const Variable& x, const Shape& shape) {
  const detail::CalledAs called("reshape");
  if (x.shape() == shape) return x;
  return apply(reshape_op, ShapeAttrs{shape}, {&x});
}

Variable reshape(const Variable& x, std::span<const int64_t> sizes) {
  const detail::CalledAs called("reshape");
  return reshape(x, resolve_sizes(sizes, x.shape(), "reshape"));
}

Variable squeeze(const Variable& x, const Axes& axes) {
  const detail::CalledAs called("squeeze");
  const uint32_t named = axes.mask(x.rank(), "squeeze");
  Shape shape = x.shape();
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    const bool goes = axes.empty() ? shape[axis] == 1 : in_mask(named, axis);
    if (!goes) continue;
    GRADUS_CHECK(shape[axis] == 1, "[squeeze] expected size 1 on axis ", axis, " of ", x.shape());
    shape = shape.without(axis);
  }
  return reshape(x, shape);
}

Variable unsqueeze(const Variable& x, int64_t axis) {
  const detail::CalledAs called("unsqueeze");
  return reshape(x, x.shape().inserted(normalize_axis(axis, x.rank() + 1, "unsqueeze"), 1));
}

Variable permute(const Variable& x, const Axes& axes) {
  const detail::CalledAs called("permute");
  GRADUS_CHECK(axes.count() == static_cast<size_t>(x.rank()), "[permute] wrong number of axes: expected ", x.rank(),
               ", got ", axes.count());
  AxesAttrs attrs{};
  attrs.rank = x.rank();
  axes.resolve(x.rank(), "permute", attrs.axes);
  return apply(permute_op, attrs, {&x});
}

Variable transpose(const Variable& x, int64_t a, int64_t b) {
  const detail::CalledAs called("transpose");
  const int from = normalize_axis(a, x.rank(), "transpose");
  const int to = normalize_axis(b, x.rank(), "transpose");
  return apply(permute_op, swapped(x.rank(), from, to), {&x});
}

}  // namespace gradus

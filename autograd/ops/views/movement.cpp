// SPDX-License-Identifier: MIT
//   d flip: flip      d roll: roll back      d pad: the part inside      d repeat: the sum of the copies
#include <gradus/autograd/ops/views/views.hpp>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/ops/broadcast.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/reduce/reduce_axes.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/movement/copy.hpp>
#include <gradus/tensor/kernels/movement/movement.hpp>

namespace gradus {
namespace {

struct FlipAttrs {
  uint32_t axes;
};

struct PadAttrs {
  std::vector<Padding> paddings;
  double value;
};

struct RepeatAttrs {
  std::vector<int64_t> counts;
};

void require_one_for_each_axis(const ShapeArgs& s, size_t given, const char* what) {
  GRADUS_CHECK(given == static_cast<size_t>(s.shape(0).rank()), "[", s.op_name(), "] expected one ", what,
               " for each axis of ", s.describe(0), ", got ", given);
}

Shape shape_of(const int64_t (&sizes)[kMaxRank], int rank) {
  return Shape(std::span<const int64_t>(sizes, static_cast<size_t>(rank)));
}

void pad_shape(ShapeArgs& s) {
  const std::vector<Padding>& paddings = s.attrs<PadAttrs>().paddings;
  require_one_for_each_axis(s, paddings.size(), "padding");
  detail::require_number("pad", s.dtype(0), s.attrs<PadAttrs>().value);
  int64_t sizes[kMaxRank];
  for (int axis = 0; axis < s.shape(0).rank(); ++axis) {
    const Padding& p = paddings[static_cast<size_t>(axis)];
    GRADUS_CHECK(p.before >= 0 && p.after >= 0, "[pad] expected paddings >= 0, got ", p.before, " and ", p.after,
                 " on axis ", axis);
    const bool overflow = __builtin_add_overflow(s.shape(0)[axis], p.before, &sizes[axis]) ||
                          __builtin_add_overflow(sizes[axis], p.after, &sizes[axis]);
    GRADUS_CHECK(!overflow, "[pad] too many elements for 64-bit addressing: axis ", axis, " of ", s.describe(0),
                 " with ", p.before, " before and ", p.after, " after");
  }
  s.output(shape_of(sizes, s.shape(0).rank()), s.dtype(0));
}

void repeat_shape(ShapeArgs& s) {
  const std::vector<int64_t>& counts = s.attrs<RepeatAttrs>().counts;
  require_one_for_each_axis(s, counts.size(), "count");
  int64_t sizes[kMaxRank];
  for (int axis = 0; axis < s.shape(0).rank(); ++axis) {
    const int64_t count = counts[static_cast<size_t>(axis)];
    GRADUS_CHECK(count >= 0, "[repeat] expected counts >= 0, got ", count, " on axis ", axis);
    GRADUS_CHECK(!__builtin_mul_overflow(s.shape(0)[axis], count, &sizes[axis]),
                 "[repeat] too many elements for 64-bit addressing: axis ", axis, " of ", s.describe(0), " ", count,
                 " times");
  }
  s.output(shape_of(sizes, s.shape(0).rank()), s.dtype(0));
}

void roll_forward(ForwardArgs& f) {
  const auto& a = f.attrs<RollOptions>();
  if (f.in(0).numel() == 0) return;
  const int64_t size = f.in(0).size(a.axis);
  const int64_t shift = (a.shift % size + size) % size;
  Tensor end = f.out(0).slice(a.axis, shift, size);
  kernels::copy(f.in(0).slice(a.axis, 0, size - shift), end);
  Tensor start = f.out(0).slice(a.axis, 0, shift);
  kernels::copy(f.in(0).slice(a.axis, size - shift, size), start);
}

void pad_forward(ForwardArgs& f) {
  const auto& a = f.attrs<PadAttrs>();
  kernels::fill(f.out(0), a.value);
  Tensor inside = f.out(0);
  for (int axis = 0; axis < inside.rank(); ++axis) {
    const int64_t before = a.paddings[static_cast<size_t>(axis)].before;
    inside = inside.slice(axis, before, before + f.in(0).shape()[axis]);
  }
  kernels::copy(f.in(0), inside);
}

void pad_vjp(VjpArgs& v) {
  const auto& a = v.attrs<PadAttrs>();
  Variable inside = v.cotangent();
  for (int axis = 0; axis < inside.rank(); ++axis) {
    const int64_t size = v.in_shape(0)[axis];
    if (size == inside.shape()[axis]) continue;
    inside = narrow(inside, axis, a.paddings[static_cast<size_t>(axis)].before, size);
  }
  v.set(0, inside);
}

// Works axis by axis, each as the second of four axes, so that any rank is possible.
void repeat_vjp(VjpArgs& v) {
  const std::vector<int64_t>& counts = v.attrs<RepeatAttrs>().counts;
  Variable g = v.cotangent();
  for (int axis = 0; axis < g.rank(); ++axis) {
    const int64_t count = counts[static_cast<size_t>(axis)];
    if (count == 1) continue;
    const Shape reduced = g.shape().with(axis, v.in_shape(0)[axis]);
    int64_t before = 1;
    int64_t after = 1;
    for (int k = 0; k < axis; ++k) before *= g.shape()[k];
    for (int k = axis + 1; k < g.rank(); ++k) after *= g.shape()[k];
    g = reshape(sum(reshape(g, {before, count, reduced[axis], after}), {1}), reduced);
  }
  v.set(0, g);
}

std::vector<Example> pad_examples() {
  const int64_t huge = INT64_MAX - 1;
  return {
      {.name = "matrix", .attrs = PadAttrs{{{1, 2}, {0, 3}}, 0.0}, .inputs = {real({3, 4})}},
      {.name = "another value", .attrs = PadAttrs{{{2, 1}}, -7.0}, .inputs = {real({17})}},
      {.name = "nothing to do", .attrs = PadAttrs{{{0, 0}, {0, 0}}, 1.0}, .inputs = {real({2, 1})}},
      {.name = "scalar", .attrs = PadAttrs{{}, 0.0}, .inputs = {real({})}},
      {.name = "around nothing", .attrs = PadAttrs{{{1, 1}, {0, 1}}, 2.0}, .inputs = {real({0, 2})}},
      {.name = "integers",
       .attrs = PadAttrs{{{1, 0}}, 9.0},
       .inputs = {fixed(Tensor::from({1, 2}, {2}, {.dtype = DType::i64}))},
       .expected = {Tensor::from({9, 1, 2}, {3}, {.dtype = DType::i64})}},
      {.name = "too few",
       .attrs = PadAttrs{{{1, 1}}, 0.0},
       .inputs = {real({2, 2})},
       .error = "[pad] expected one padding for each axis of f64 [2, 2], got 1"},
      {.name = "negative",
       .attrs = PadAttrs{{{1, -1}}, 0.0},
       .inputs = {real({2})},
       .error = "[pad] expected paddings >= 0, got 1 and -1 on axis 0"},
      {.name = "overflow",
       .attrs = PadAttrs{{{huge, huge}}, 0.0},
       .inputs = {real({2})},
       .error = "[pad] too many elements for 64-bit addressing: axis 0 of f64 [2]"},
  };
}

std::vector<Example> repeat_examples() {
  return {
      {.name = "matrix", .attrs = RepeatAttrs{{2, 3}}, .inputs = {real({3, 2})}},
      {.name = "vector", .attrs = RepeatAttrs{{2}}, .inputs = {real({17})}},
      {.name = "one", .attrs = RepeatAttrs{{5}}, .inputs = {real({1})}},
      {.name = "nothing to do", .attrs = RepeatAttrs{{1, 1}}, .inputs = {real({2, 2})}},
      {.name = "scalar", .attrs = RepeatAttrs{{}}, .inputs = {real({})}},
      {.name = "empty", .attrs = RepeatAttrs{{2, 2}}, .inputs = {real({0, 2})}},
      {.name = "no times", .attrs = RepeatAttrs{{0, 2}}, .inputs = {real({2, 2})}},
      {.name = "too many",
       .attrs = RepeatAttrs{{1, 2}},
       .inputs = {real({2})},
       .error = "[repeat] expected one count for each axis of f64 [2], got 2"},
      {.name = "negative",
       .attrs = RepeatAttrs{{-1}},
       .inputs = {real({2})},
       .error = "[repeat] expected counts >= 0, got -1 on axis 0"},
      {.name = "overflow",
       .attrs = RepeatAttrs{{int64_t{1} << 62}},
       .inputs = {real({4})},
       .error = "[repeat] too many elements for 64-bit addressing: axis 0 of f64 [4] 4611686018427387904 times"},
  };
}

}  // namespace

const OpDef flip_op = {
    .name = "flip",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          const uint32_t axes = s.attrs<FlipAttrs>().axes;
          GRADUS_CHECK(axes >> s.shape(0).rank() == 0, "[flip] an axis is out of range of ", s.describe(0));
          s.output(s.shape(0), s.dtype(0));
        },
    .forward = [](ForwardArgs& f) { kernels::flip(f.in(0), f.attrs<FlipAttrs>().axes, f.out(0)); },
    .derivative = [](VjpArgs& v) { v.set(0, apply(flip_op, v.raw_attrs(), {&v.cotangent()})); },
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "rows", .attrs = FlipAttrs{0b10}, .inputs = {real({2, 17})}},
              {.name = "first and last", .attrs = FlipAttrs{0b101}, .inputs = {real({2, 3, 4})}},
              {.name = "all", .attrs = FlipAttrs{0b11}, .inputs = {real({3, 2})}},
              {.name = "one", .attrs = FlipAttrs{0b1}, .inputs = {real({1})}},
              {.name = "scalar", .attrs = FlipAttrs{0}, .inputs = {real({})}},
              {.name = "empty", .attrs = FlipAttrs{0b1}, .inputs = {real({0, 2})}},
              {.name = "no such axis",
               .attrs = FlipAttrs{0b10},
               .inputs = {real({2})},
               .error = "[flip] an axis is out of range of f64 [2]"},
          };
        },
    .onnx =
        [](OnnxArgs& o) {
          const std::vector<int64_t> axes = onnx_axes(o.attrs<FlipAttrs>().axes);
          const auto all = [&](int64_t value) { return o.integers(std::vector<int64_t>(axes.size(), value)); };
          o.out(0, axes.empty() ? o.in(0)
                                : o.node("Slice", {o.in(0), all(-1), all(INT64_MIN), o.integers(axes), all(-1)}));
        },
};

const OpDef roll_op = {
    .name = "roll",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          normalize_axis(s.attrs<RollOptions>().axis, s.shape(0).rank(), "roll");
          s.output(s.shape(0), s.dtype(0));
        },
    .forward = roll_forward,
    .derivative =
        [](VjpArgs& v) {
          const auto& a = v.attrs<RollOptions>();
          const int64_t size = v.in_shape(0)[normalize_axis(a.axis, v.in_shape(0).rank(), "roll")];
          const int64_t back = size == 0 ? 0 : -(a.shift % size);
          v.set(0, apply(roll_op, RollOptions{a.axis, back}, {&v.cotangent()}));
        },
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "rows", .attrs = RollOptions{-1, 5}, .inputs = {real({2, 17})}},
              {.name = "back", .attrs = RollOptions{1, -1}, .inputs = {real({2, 3, 4})}},
              {.name = "more than round", .attrs = RollOptions{0, 100}, .inputs = {real({3, 2})}},
              {.name = "furthest back", .attrs = RollOptions{0, INT64_MIN}, .inputs = {real({3})}},
              {.name = "one", .attrs = RollOptions{0, 1}, .inputs = {real({1})}},
              {.name = "empty", .attrs = RollOptions{0, 1}, .inputs = {real({0, 2})}},
              {.name = "scalar",
               .attrs = RollOptions{0, 1},
               .inputs = {real({})},
               .error = "[roll] axis out of range: expected no axis, since the rank is 0, got 0"},
          };
        },
    .onnx =
        [](OnnxArgs& o) {
          const auto& a = o.attrs<RollOptions>();
          const int64_t size = o.in_shape(0)[normalize_axis(a.axis, o.in_shape(0).rank(), "roll")];
          const int64_t cut = size - (a.shift % size + size) % size;
          const OnnxArgs::Names parts =
              o.graph().nodes("Split", {o.in(0), o.integers({cut, size - cut})}, 2, {{"axis", a.axis}});
          o.out(0, o.node("Concat", {parts[1], parts[0]}, {{"axis", a.axis}}));
        },
};

const OpDef pad_op = {
    .name = "pad",
    .input_names = {"x"},
    .shape = pad_shape,
    .forward = pad_forward,
    .derivative = pad_vjp,
    .examples = pad_examples,
    .onnx =
        [](OnnxArgs& o) {
          const auto& a = o.attrs<PadAttrs>();
          std::vector<int64_t> sizes;
          for (const Padding& padding : a.paddings) sizes.push_back(padding.before);
          for (const Padding& padding : a.paddings) sizes.push_back(padding.after);
          o.out(0, sizes.empty() ? o.in(0) : o.node("Pad", {o.in(0), o.integers(sizes), o.number(a.value)}));
        },
};

const OpDef repeat_op = {
    .name = "repeat",
    .input_names = {"x"},
    .shape = repeat_shape,
    .forward = [](ForwardArgs& f) { kernels::repeat(f.in(0), f.attrs<RepeatAttrs>().counts.data(), f.out(0)); },
    .derivative = repeat_vjp,
    .examples = repeat_examples,
    .onnx =
        [](OnnxArgs& o) {
          o.out(0, o.node("Tile", {o.in(0), o.integers(o.attrs<RepeatAttrs>().counts)}));
        },
};

Variable flip(const Variable& x, const Axes& axes) {
  const detail::CalledAs called("flip");
  return apply(flip_op, FlipAttrs{axes_mask(x, axes, "flip")}, {&x});
}

Variable roll(const Variable& x, const RollOptions& options) { return apply(roll_op, options, {&x}); }

Variable pad(const Variable& x, const std::vector<Padding>& paddings, PadOptions options) {
  return apply(pad_op, PadAttrs{paddings, options.value}, {&x});
}

Variable repeat(const Variable& x, const std::vector<int64_t>& counts) {
  return apply(repeat_op, RepeatAttrs{counts}, {&x});
}

Variable tile(const Variable& x, const std::vector<int64_t>& counts) {
  const detail::CalledAs called("tile");
  Variable wide = x;
  while (static_cast<size_t>(wide.rank()) < counts.size()) wide = unsqueeze(wide, 0);
  std::vector<int64_t> all(static_cast<size_t>(wide.rank()) - counts.size(), 1);
  all.insert(all.end(), counts.begin(), counts.end());
  return repeat(wide, all);
}

}  // namespace gradus

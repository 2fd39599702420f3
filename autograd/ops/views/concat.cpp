// SPDX-License-Identifier: MIT
// y = the parts, one after the other along an axis. The derivative of each part is its slice of the cotangent.
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

struct ConcatAttrs {
  int64_t axis;
};

void concat_shape(ShapeArgs& s) {
  GRADUS_CHECK(s.num_inputs() > 0, "[concat] expected at least one part, got none");
  const int axis = normalize_axis(s.attrs<ConcatAttrs>().axis, s.shape(0).rank(), "concat");
  int64_t total = 0;
  for (int i = 0; i < s.num_inputs(); ++i) {
    GRADUS_CHECK(s.dtype(i) == s.dtype(0) && s.shape(i).rank() == s.shape(0).rank() &&
                     s.shape(i).with(axis, 0) == s.shape(0).with(axis, 0),
                 "[concat] parts differ beside axis ", axis, ": part 0 is ", s.describe(0), ", part ", i, " is ",
                 s.describe(i));
    // Expanded parts take no memory, so their sizes are not limited by it and may overflow the sum.
    GRADUS_CHECK(!__builtin_add_overflow(total, s.shape(i)[axis], &total),
                 "[concat] too many elements for 64-bit addressing: ", s.num_inputs(), " parts, part ", i, " is ",
                 s.describe(i));
  }
  s.output(s.shape(0).with(axis, total), s.dtype(0));
}

}  // namespace

const OpDef concat_op = {
    .name = "concat",
    .input_names = {"parts..."},
    .shape = concat_shape,
    .forward =
        [](ForwardArgs& f) {
          const int axis = normalize_axis(f.attrs<ConcatAttrs>().axis, f.in(0).rank(), "concat");
          int64_t start = 0;
          for (int i = 0; i < f.num_inputs(); ++i) {
            const int64_t size = f.in(i).shape()[axis];
            Tensor place = f.out(0).slice(axis, start, start + size);
            kernels::copy(f.in(i), place);
            start += size;
          }
        },
    .derivative =
        [](VjpArgs& v) {
          const int axis = normalize_axis(v.attrs<ConcatAttrs>().axis, v.in_shape(0).rank(), "concat");
          int64_t start = 0;
          for (int i = 0; i < v.num_inputs(); ++i) {
            const int64_t size = v.in_shape(i)[axis];
            if (v.needs(i)) v.set(i, narrow(v.cotangent(), axis, start, size));
            start += size;
          }
        },
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "last axis", .attrs = ConcatAttrs{-1}, .inputs = {real({2, 3}), real({2, 1}), real({2, 4})}},
              {.name = "first axis", .attrs = ConcatAttrs{0}, .inputs = {real({2, 3}), real({1, 3})}},
              {.name = "one part, empty part", .attrs = ConcatAttrs{0}, .inputs = {real({2}), real({0})}},
              {.name = "other rank",
               .attrs = ConcatAttrs{0},
               .inputs = {real({2, 3}), real({3})},
               .error = "[concat] parts differ beside axis 0: part 0 is f64 [2, 3], part 1 is f64 [3]"},
              {.name = "other size",
               .attrs = ConcatAttrs{0},
               .inputs = {real({2, 3}), real({2, 4})},
               .error = "part 0 is f64 [2, 3], part 1 is f64 [2, 4]"},
          };
        },
    .onnx =
        [](OnnxArgs& o) {
          o.become("Concat", {{"axis", o.attrs<ConcatAttrs>().axis}});
        },
};

Variable concat(const std::vector<Variable>& parts, int64_t axis) {
  std::vector<const Variable*> inputs;
  inputs.reserve(parts.size());
  for (const Variable& part : parts) inputs.push_back(&part);
  Variable out;
  apply_into(concat_op, ConcatAttrs{axis}, inputs, std::span<Variable>(&out, 1));
  return out;
}

Variable stack(const std::vector<Variable>& parts, int64_t axis) {
  const detail::CalledAs called("stack");
  std::vector<Variable> rows;
  rows.reserve(parts.size());
  for (const Variable& part : parts) rows.push_back(unsqueeze(part, axis));
  if (parts.empty()) return concat(rows, 0);
  return concat(rows, normalize_axis(axis, parts[0].rank() + 1, "stack"));
}

}  // namespace gradus

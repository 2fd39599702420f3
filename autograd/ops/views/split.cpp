// SPDX-License-Identifier: MIT
// All pieces of one axis at once. With a slice op for each piece, the backward pass would make an array of the whole
// size for each. The derivative is the concatenation of the pieces' cotangents.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>

namespace gradus {
namespace {

struct SplitAttrs {
  int64_t axis;
  std::vector<int64_t> sizes;
};

void split_shape(ShapeArgs& s) {
  const auto& a = s.attrs<SplitAttrs>();
  const int axis = normalize_axis(a.axis, s.shape(0).rank(), "split");
  const int64_t size = s.shape(0)[axis];
  int64_t left = size;
  for (int64_t piece : a.sizes) {
    const bool fits = piece >= 0 && piece <= left;
    GRADUS_CHECK(fits, "[split] expected sizes >= 0 with sum ", size, " on axis ", axis, ", got ", s.describe(0),
                 " and a piece of ", piece, " where ", left, " are left");
    left -= piece;
  }
  GRADUS_CHECK(left == 0, "[split] expected sizes >= 0 with sum ", size, " on axis ", axis, ", got ", s.describe(0),
               " and sizes with sum ", size - left);
  for (int64_t piece : a.sizes) s.output(s.shape(0).with(axis, piece), s.dtype(0));
}

}  // namespace

const OpDef split_op = {
    .name = "split",
    .input_names = {"x"},
    .shape = split_shape,
    .forward =
        [](ForwardArgs& f) {
          const auto& a = f.attrs<SplitAttrs>();
          int64_t start = 0;
          for (size_t k = 0; k < a.sizes.size(); ++k) {
            f.out(static_cast<int>(k)) = f.in(0).slice(a.axis, start, start + a.sizes[k]);
            start += a.sizes[k];
          }
        },
    .derivative =
        [](VjpArgs& v) {
          std::vector<Variable> parts;
          parts.reserve(static_cast<size_t>(v.num_outputs()));
          for (int k = 0; k < v.num_outputs(); ++k) parts.push_back(v.cotangent(k));
          v.set(0, concat(parts, v.attrs<SplitAttrs>().axis));
        },
    .is_view = true,
    .examples =
        [] {
          const std::vector<int64_t> nine(9, 1);
          return std::vector<Example>{
              {.name = "last axis", .attrs = SplitAttrs{-1, {2, 1, 4}}, .inputs = {real({3, 7})}},
              {.name = "first axis, an empty piece", .attrs = SplitAttrs{0, {1, 0, 3}}, .inputs = {real({4, 2})}},
              {.name = "many", .attrs = SplitAttrs{1, nine}, .inputs = {real({2, 9})}},
              {.name = "one piece", .attrs = SplitAttrs{0, {1}}, .inputs = {real({1})}},
              {.name = "empty", .attrs = SplitAttrs{1, {1, 2}}, .inputs = {real({0, 3})}},
              {.name = "too little",
               .attrs = SplitAttrs{0, {1, 1}},
               .inputs = {real({3})},
               .error = "[split] expected sizes >= 0 with sum 3 on axis 0, got f64 [3] and sizes with sum 2"},
              {.name = "too much",
               .attrs = SplitAttrs{0, {2, 2}},
               .inputs = {real({3})},
               .error = "got f64 [3] and a piece of 2 where 1 are left"},
              {.name = "negative",
               .attrs = SplitAttrs{0, {4, -1}},
               .inputs = {real({3})},
               .error = "got f64 [3] and a piece of 4 where 3 are left"},
          };
        },
    .onnx =
        [](OnnxArgs& o) {
          const auto& a = o.attrs<SplitAttrs>();
          const OnnxArgs::Names parts =
              o.graph().nodes("Split", {o.in(0), o.integers(a.sizes)}, a.sizes.size(), {{"axis", a.axis}});
          for (size_t k = 0; k < parts.size(); ++k) o.out(static_cast<int>(k), parts[k]);
        },
};

std::vector<Variable> split(const Variable& x, int64_t axis, const std::vector<int64_t>& sizes) {
  const detail::CalledAs called("split");
  std::vector<Variable> parts(sizes.size());
  const Variable* input = &x;
  apply_into(split_op, SplitAttrs{axis, sizes}, InputSpan(&input, 1), parts);
  return parts;
}

std::vector<Variable> split_every(const Variable& x, const SplitEveryOptions& options) {
  const detail::CalledAs called("split_every");
  const int64_t piece = options.size;
  GRADUS_CHECK(piece > 0, "[split_every] expected a size > 0, got ", piece);
  const int at = normalize_axis(options.axis, x.rank(), "split_every");
  const int64_t size = x.shape()[at];
  rules::require_output_count(size / piece + (size % piece != 0 ? 1 : 0), "split_every");
  std::vector<int64_t> sizes;
  for (int64_t left = size; left > 0; left -= sizes.back()) sizes.push_back(left < piece ? left : piece);
  return split(x, at, sizes);
}

std::vector<Variable> chunk(const Variable& x, const ChunkOptions& options) {
  const detail::CalledAs called("chunk");
  const int64_t count = options.count;
  GRADUS_CHECK(count > 0, "[chunk] expected a count > 0, got ", count);
  rules::require_output_count(count, "chunk");
  const int at = normalize_axis(options.axis, x.rank(), "chunk");
  const int64_t size = x.shape()[at];
  std::vector<int64_t> sizes(static_cast<size_t>(count), size / count);
  for (int64_t k = 0; k < size % count; ++k) ++sizes[static_cast<size_t>(k)];
  return split(x, at, sizes);
}

}  // namespace gradus

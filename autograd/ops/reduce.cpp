// SPDX-License-Identifier: MIT
// y = sum of x over a set of axes; each kept with size 1 inside the op. dx = the cotangent, expanded.
#include <gradus/autograd/ops/reduce.hpp>

#include <gradus/autograd/apply.hpp>
#include <gradus/autograd/example.hpp>
#include <gradus/autograd/ops/arithmetic.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views.hpp>
#include <gradus/autograd/ops_list.hpp>
#include <gradus/tensor/kernels/tensor_reduce.hpp>

namespace gradus {
namespace {

struct SumAttrs {
  uint32_t axes;  // bit k: axis k is summed
  bool operator==(const SumAttrs&) const = default;
};

Shape reduced_shape(const Shape& shape, uint32_t axes) {
  Shape out = shape;
  for (int i = 0; i < shape.rank(); ++i) {
    if (in_mask(axes, i)) out = out.with(i, 1);
  }
  return out;
}

uint32_t mask_of(std::initializer_list<int> axes, int rank, const char* op) {
  uint32_t mask = 0;
  for (int axis : axes) {
    const uint32_t bit = 1U << normalize_axis(axis, rank, op);
    GRADUS_CHECK((mask & bit) == 0, "[", op, "] axis ", axis, " is named twice");
    mask |= bit;
  }
  return mask;
}

Variable drop_axes(const Variable& x, uint32_t axes) {
  int64_t sizes[kMaxRank];
  size_t count = 0;
  for (int i = 0; i < x.rank(); ++i) {
    if (!in_mask(axes, i)) sizes[count++] = x.shape()[i];
  }
  return reshape(x, Shape(std::span<const int64_t>(sizes, count)));
}

Variable sum_mask(const Variable& x, uint32_t axes, ReduceOptions options) {
  const Variable kept = apply(sum_op, SumAttrs{axes}, {&x});
  return options.keepdim ? kept : drop_axes(kept, axes);
}

uint32_t all_axes(const Variable& x) { return (1U << x.rank()) - 1U; }

Variable mean_mask(const Variable& x, uint32_t axes, ReduceOptions options) {
  const int64_t kept = reduced_shape(x.shape(), axes).numel();
  const double count = kept == 0 ? 1.0 : static_cast<double>(x.numel()) / static_cast<double>(kept);
  return affine(sum_mask(x, axes, options), 1.0 / count, 0.0);
}

}  // namespace

const OpDef sum_op = {
    .name = "sum",
    .shape =
        [](ShapeArgs& s) {
          rules::require_floating(s, 0, "input");
          s.output(reduced_shape(s.shape(0), s.attrs<SumAttrs>().axes), s.dtype(0));
        },
    .forward = [](ForwardArgs& f) { kernels::sum(f.in(0), f.out(0)); },
    .derivative = [](VjpArgs& v) { v.set(0, expand(v.cotangent(), v.in_shape(0))); },
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "rows", .attrs = SumAttrs{0b10}, .inputs = {real({3, 17})}},
              {.name = "columns", .attrs = SumAttrs{0b01}, .inputs = {real({4, 5})}},
              {.name = "first and last", .attrs = SumAttrs{0b101}, .inputs = {real({2, 3, 4})}},
              {.name = "all", .attrs = SumAttrs{0b11}, .inputs = {real({3, 3})}},
              {.name = "none", .attrs = SumAttrs{0}, .inputs = {real({3})}},
              {.name = "scalar", .attrs = SumAttrs{0}, .inputs = {real({})}},
              {.name = "over nothing", .attrs = SumAttrs{0b1}, .inputs = {real({0, 2})}},
              {.name = "integers",
               .attrs = SumAttrs{0b1},
               .inputs = {integers({2}, 0, 3)},
               .error = "[sum] expected a floating input (f32 or f64), got i64 [2]"},
          };
        },
};

Variable sum(const Variable& x, std::initializer_list<int> axes, ReduceOptions options) {
  return sum_mask(x, mask_of(axes, x.rank(), "sum"), options);
}

Variable sum(const Variable& x) { return sum_mask(x, all_axes(x), {}); }

Variable mean(const Variable& x, std::initializer_list<int> axes, ReduceOptions options) {
  return mean_mask(x, mask_of(axes, x.rank(), "mean"), options);
}

Variable mean(const Variable& x) { return mean_mask(x, all_axes(x), {}); }

Variable sum_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int lead = x.rank() - shape.rank();
  uint32_t axes = 0;
  for (int i = 0; i < x.rank(); ++i) {
    if (i < lead || shape[i - lead] != x.shape()[i]) axes |= 1U << i;
  }
  return reshape(apply(sum_op, SumAttrs{axes}, {&x}), shape);
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
#include <gradus/autograd/ops/reduce/reduce_axes.hpp>

#include <gradus/autograd/ops/views/views.hpp>

namespace gradus {

uint32_t axes_mask(const Variable& x, const Axes& axes, const char* op) {
  return axes.empty() ? all_axes(x) : axes.mask(x.rank(), op);
}

Shape reduced_shape(const Shape& shape, uint32_t axes) {
  Shape out = shape;
  for (int i = 0; i < shape.rank(); ++i) {
    if (in_mask(axes, i)) out = out.with(i, 1);
  }
  return out;
}

double reduced_count(const Shape& shape, uint32_t axes) {
  double count = 1.0;
  for (int i = 0; i < shape.rank(); ++i) {
    if (in_mask(axes, i)) count *= static_cast<double>(shape[i]);
  }
  return count;
}

Variable drop_axes(const Variable& x, uint32_t axes) {
  int64_t sizes[kMaxRank];
  size_t count = 0;
  for (int i = 0; i < x.rank(); ++i) {
    if (!in_mask(axes, i)) sizes[count++] = x.shape()[i];
  }
  return reshape(x, Shape(std::span<const int64_t>(sizes, count)));
}

Variable apply_reduction(const OpDef& op, const Variable& x, uint32_t axes, bool keepdim) {
  const Variable kept = apply(op, ReduceAttrs{axes}, {&x});
  return keepdim ? kept : drop_axes(kept, axes);
}

}  // namespace gradus

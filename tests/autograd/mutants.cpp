// SPDX-License-Identifier: MIT
#include "tests/support/mutants.hpp"

#include <cmath>

namespace gradus::tests {
namespace {

template <class T>
void scramble(const ScrambleAttrs& attrs, const Tensor& x, Tensor& y) {
  const Tensor dense = x.contiguous();
  const T* in = dense.data<T>();
  T* out = y.mutable_data_<T>();
  std::fill(out, out + y.numel(), T(0));
  for (size_t j = 0; j < attrs.from.size(); ++j) {
    if (attrs.from[j] < 0) continue;
    const auto other = static_cast<size_t>(attrs.from[j]);
    const T weight = static_cast<T>(attrs.weight[j]);
    if (attrs.adjoint) {
      out[other] += weight * in[j];
    } else {
      out[j] = weight * in[other];
    }
  }
}

struct Position {
  int64_t outer;  // the index of everything before the axis
  int64_t at;
  int64_t inner;
};

// Splits a row-major index at an axis.
struct AxisView {
  int64_t size;
  int64_t inner_size;
  AxisView(const Shape& shape, int axis) : size(shape[axis]), inner_size(1) {
    for (int k = axis + 1; k < shape.rank(); ++k) inner_size *= shape[k];
  }
  Position split(int64_t index) const {
    return {index / (size * inner_size), index / inner_size % size, index % inner_size};
  }
  int64_t join(const Position& p) const { return (p.outer * size + p.at) * inner_size + p.inner; }
};

bool plan_axis_fault(GradientFault fault, int axis, const Shape& shape, ScrambleAttrs& plan) {
  if (axis >= shape.rank() || shape[axis] < 2) return false;
  const AxisView view(shape, axis);
  for (size_t j = 0; j < plan.from.size(); ++j) {
    Position p = view.split(static_cast<int64_t>(j));
    if (fault == GradientFault::first_zeroed && p.at == 0) plan.from[j] = -1;
    if (fault == GradientFault::last_zeroed && p.at == view.size - 1) plan.from[j] = -1;
    if (fault == GradientFault::shifted) p.at -= 1;
    if (fault == GradientFault::reversed) p.at = view.size - 1 - p.at;
    if (plan.from[j] >= 0) plan.from[j] = p.at < 0 ? -1 : view.join(p);
  }
  return true;
}

// The values of the transposed matrices, laid out under the old shape.
bool plan_transposed(const Shape& shape, ScrambleAttrs& plan) {
  if (shape.rank() < 2 || shape[shape.rank() - 1] < 2 || shape[shape.rank() - 2] < 2) return false;
  const int64_t rows = shape[shape.rank() - 2];
  const int64_t columns = shape[shape.rank() - 1];
  for (size_t j = 0; j < plan.from.size(); ++j) {
    const auto index = static_cast<int64_t>(j);
    const int64_t in_matrix = index % (rows * columns);
    plan.from[j] = index - in_matrix + in_matrix % rows * columns + in_matrix / rows;
  }
  return true;
}

size_t largest_element(const Tensor& gradient) {
  const Tensor values = gradient.to(DType::f64).contiguous();
  const double* g = values.data<double>();
  const auto smaller = [](double a, double b) { return std::abs(a) < std::abs(b); };
  return static_cast<size_t>(std::max_element(g, g + gradient.numel(), smaller) - g);
}

// Each element that is exactly 0 takes the gradient of the next one that is not.
bool plan_mask_ignored(const Tensor& gradient, ScrambleAttrs& plan) {
  const Tensor values = gradient.to(DType::f64).contiguous();
  const double* g = values.data<double>();
  const size_t count = plan.from.size();
  bool any_zero = false;
  bool any_other = false;
  for (size_t j = 0; j < count; ++j) {
    any_zero = any_zero || g[j] == 0.0;
    any_other = any_other || g[j] != 0.0;
  }
  if (!any_zero || !any_other) return false;
  for (size_t j = 0; j < count; ++j) {
    size_t other = j;
    while (g[other] == 0.0) other = (other + 1) % count;
    plan.from[j] = static_cast<int64_t>(other);
  }
  return true;
}

}  // namespace

void scramble_forward(ForwardArgs& f) {
  dispatch_float(f.in(0).dtype(), [&](auto tag) {
    scramble<typename decltype(tag)::type>(f.attrs<ScrambleAttrs>(), f.in(0), f.out(0));
  });
}

const OpDef scramble_op = {
    .name = "scramble",
    .shape = [](ShapeArgs& s) { s.output(s.shape(0), s.dtype(0)); },
    .forward = scramble_forward,
    .derivative =
        [](VjpArgs& v) {
          ScrambleAttrs attrs = v.attrs<ScrambleAttrs>();
          attrs.adjoint = !attrs.adjoint;
          v.set(0, apply(scramble_op, std::move(attrs), {&v.cotangent()}));
        },
};

bool plan_fault(GradientFault fault, int axis, const Tensor& gradient, ScrambleAttrs& plan) {
  const auto count = static_cast<size_t>(gradient.numel());
  if (count == 0) return false;
  plan.from.resize(count);
  std::iota(plan.from.begin(), plan.from.end(), int64_t{0});
  plan.weight.assign(count, 1.0);
  switch (fault) {
    case GradientFault::scaled:
      plan.weight.assign(count, 1.0 + 1e-5);
      return true;
    case GradientFault::sign_flipped:
      plan.weight.assign(count, -1.0);
      return true;
    case GradientFault::dropped:
      plan.weight.assign(count, 0.0);
      return true;
    case GradientFault::doubled:
      plan.weight.assign(count, 2.0);
      return true;
    case GradientFault::element_zeroed:
      plan.weight[largest_element(gradient)] = 0.0;
      return true;
    case GradientFault::transposed:
      return plan_transposed(gradient.shape(), plan);
    case GradientFault::mask_ignored:
      return plan_mask_ignored(gradient, plan);
    default:
      return plan_axis_fault(fault, axis, gradient.shape(), plan);
  }
}

PlantedGradientFault::PlantedGradientFault(const OpDef& op, int input, GradientFault fault, int axis)
    : op_(op), input_(input), fault_(fault), axis_(axis), filter_{call, this} {
  context().vjp_filter = &filter_;
}

void PlantedGradientFault::call(void* state, const OpDef& op, VjpValue what, int index, Variable& value) {
  auto* self = static_cast<PlantedGradientFault*>(state);
  if (&op != &self->op_ || what != VjpValue::gradient || index != self->input_ || !value.defined()) return;
  ScrambleAttrs plan;
  if (!plan_fault(self->fault_, self->axis_, value.value(), plan)) return;
  ++self->applied_;
  value = apply(scramble_op, std::move(plan), {&value});
}

PlantedVjpFault::PlantedVjpFault(const OpDef& op, VjpFault fault, int index)
    : op_(op), fault_(fault), index_(index), filter_{call, this} {
  context().vjp_filter = &filter_;
}

void PlantedVjpFault::call(void* state, const OpDef& op, VjpValue what, int index, Variable& value) {
  auto* self = static_cast<PlantedVjpFault*>(state);
  if (&op != &self->op_ || !value.defined() || value.numel() == 0) return;
  const bool is_saved = what == VjpValue::input || what == VjpValue::output;
  switch (self->fault_) {
    case VjpFault::cotangent_of_ones:
      if (what != VjpValue::cotangent || index != self->index_) return;
      value = ones(value.shape(), {.dtype = value.dtype()});
      break;
    case VjpFault::cotangent_ignored:
      if (what != VjpValue::cotangent || index != self->index_) return;
      value = zeros(value.shape(), {.dtype = value.dtype()});
      break;
    case VjpFault::saved_as_constants:
      if (!is_saved || !is_floating(value.dtype())) return;
      value = value.detach();
      break;
    case VjpFault::cut_from_the_graph:
      if (what != VjpValue::gradient) return;
      value = value.detach();
      break;
  }
  ++self->applied_;
}

}  // namespace gradus::tests

// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/corruptions.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gradus/autograd/check/diagnosis/axis_view.hpp>
#include <gradus/autograd/check/differences/differences.hpp>
#include <gradus/autograd/op.hpp>

namespace gradus {
namespace {

// y[j] = weight[j] * x[from[j]], or 0 where from[j] < 0. All corruptions of a gradient have this form. Its vjp
// is its adjoint, so a corrupted derivative can be differentiated like a correct one.
struct ScrambleAttrs {
  std::vector<int64_t> from;
  std::vector<double> weight;
  bool adjoint = false;
};

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

void scramble_forward(ForwardArgs& f) {
  if (f.in(0).dtype() == DType::f64) {
    scramble<double>(f.attrs<ScrambleAttrs>(), f.in(0), f.out(0));
  } else {
    scramble<float>(f.attrs<ScrambleAttrs>(), f.in(0), f.out(0));
  }
}

extern const OpDef scramble_op;
void scramble_vjp(VjpArgs& v) {
  ScrambleAttrs attrs = v.attrs<ScrambleAttrs>();
  attrs.adjoint = !attrs.adjoint;
  v.set(0, apply(scramble_op, std::move(attrs), {&v.cotangent()}));
}

const OpDef scramble_op = {
    .name = "scramble",
    .input_names = {"x"},
    .shape = [](ShapeArgs& s) { s.output(s.shape(0), s.dtype(0)); },
    .forward = scramble_forward,
    .derivative = scramble_vjp,
};

bool plan_along_axis(Corruption corruption, int axis, const Shape& shape, ScrambleAttrs& plan) {
  if (axis >= shape.rank() || shape[axis] < 2) return false;
  const detail::AxisView view(shape, axis);
  for (int64_t j = 0; j < static_cast<int64_t>(plan.from.size()); ++j) {
    const int64_t at = view.at(j);
    int64_t& from = plan.from[static_cast<size_t>(j)];
    if (corruption == Corruption::first_zeroed && at == 0) from = -1;
    if (corruption == Corruption::last_zeroed && at == view.size - 1) from = -1;
    if (corruption == Corruption::shifted) from = at == 0 ? -1 : view.moved(j, at - 1);
    if (corruption == Corruption::reversed) from = view.moved(j, view.size - 1 - at);
  }
  return true;
}

bool plan_transposed(const Shape& shape, ScrambleAttrs& plan) {
  if (!detail::has_matrices(shape)) return false;
  for (size_t j = 0; j < plan.from.size(); ++j) {
    plan.from[j] = detail::transposed_position(shape, static_cast<int64_t>(j));
  }
  return true;
}

size_t largest_element(const std::vector<double>& g) {
  const auto smaller = [](double a, double b) { return std::abs(a) < std::abs(b); };
  return static_cast<size_t>(std::max_element(g.begin(), g.end(), smaller) - g.begin());
}

// Gives each element that is 0 the gradient of the next element that is not. Elements that are 0 except for rounding,
// such as the gradient of a bias of keys, which softmax ignores, count as 0: which of them are exactly 0 differs from
// one evaluation to the next, and differences cannot find an error that comes and goes. An infinity or a NaN is not 0,
// and says nothing of the size of rounding errors.
bool plan_mask_ignored(const std::vector<double>& g, ScrambleAttrs& plan) {
  constexpr double kRounding = 1e-13;
  double largest = 0.0;
  for (double x : g) {
    if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
  }
  const auto is_zero = [least = kRounding * largest](double x) { return std::abs(x) <= least; };
  const auto zeros = std::count_if(g.begin(), g.end(), is_zero);
  if (zeros == 0 || zeros == static_cast<std::ptrdiff_t>(g.size())) return false;
  for (size_t j = 0; j < g.size(); ++j) {
    size_t other = j;
    while (is_zero(g[other])) other = (other + 1) % g.size();
    plan.from[j] = static_cast<int64_t>(other);
  }
  return true;
}

// Returns false when the corruption is not possible here.
bool plan_corruption(Corruption corruption, int axis, const Tensor& gradient, ScrambleAttrs& plan) {
  const auto count = static_cast<size_t>(gradient.numel());
  if (count == 0) return false;
  plan.from.resize(count);
  std::iota(plan.from.begin(), plan.from.end(), int64_t{0});
  plan.weight.assign(count, 1.0);
  switch (corruption) {
    case Corruption::scaled:
      plan.weight.assign(count, 1.0 + 1e-5);
      return true;
    case Corruption::sign_flipped:
      plan.weight.assign(count, -1.0);
      return true;
    case Corruption::dropped:
      plan.weight.assign(count, 0.0);
      return true;
    case Corruption::doubled:
      plan.weight.assign(count, 2.0);
      return true;
    case Corruption::element_zeroed:
      plan.weight[largest_element(detail::elements(gradient))] = 0.0;
      return true;
    case Corruption::transposed:
      return plan_transposed(gradient.shape(), plan);
    case Corruption::mask_ignored:
      return plan_mask_ignored(detail::elements(gradient), plan);
    default:
      return has_axis(corruption) && plan_along_axis(corruption, axis, gradient.shape(), plan);
  }
}

}  // namespace

Variable corrupted(Corruption corruption, int axis, const Variable& gradient) {
  ScrambleAttrs plan;
  if (!plan_corruption(corruption, axis, gradient.value(), plan)) return {};
  return apply(scramble_op, std::move(plan), {&gradient});
}

PlantedCorruption::PlantedCorruption(const OpDef& op, Corruption corruption, CorruptionPlace place)
    : op_(op), corruption_(corruption), place_(place), filter_{call, this} {
  GRADUS_CHECK(context().vjp_filter == nullptr, "[PlantedCorruption] expected one at a time");
  context().vjp_filter = &filter_;
}

void PlantedCorruption::call(void* state, const OpDef& op, VjpValue what, int index, Variable& value) {
  auto* self = static_cast<PlantedCorruption*>(state);
  if (&op != &self->op_ || !value.defined() || value.numel() == 0) return;
  Variable wrong;
  switch (self->corruption_) {
    case Corruption::cotangent_of_ones:
      if (what != VjpValue::cotangent || index != self->place_.index) return;
      wrong = ones(value.shape(), {.dtype = value.dtype()});
      break;
    case Corruption::cotangent_ignored:
      if (what != VjpValue::cotangent || index != self->place_.index) return;
      wrong = zeros(value.shape(), {.dtype = value.dtype()});
      break;
    case Corruption::saved_as_constants:
      if ((what != VjpValue::input && what != VjpValue::output) || !is_floating(value.dtype())) return;
      wrong = value.detach();
      break;
    case Corruption::cut_from_the_graph:
      if (what != VjpValue::gradient) return;
      wrong = value.detach();
      break;
    default:
      if (what != VjpValue::gradient || index != self->place_.index) return;
      wrong = corrupted(self->corruption_, self->place_.axis, value);
      if (!wrong.defined()) return;
  }
  ++self->applied_;
  value = std::move(wrong);
}

}  // namespace gradus

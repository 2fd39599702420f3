// SPDX-License-Identifier: MIT
// Tries sizes, memory layouts and values that no example has. Errors in derivatives hide there when all other tests
// pass.
#include <algorithm>
#include <cmath>
#include <optional>

#include <gradus/autograd/check/battery/battery.hpp>
#include <gradus/autograd/check/battery/layout_variants.hpp>
#include <gradus/autograd/check/report/report_words.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/tensor/compare.hpp>

namespace gradus::detail {
namespace {

// An empty axis, a single element, primes, and sizes one beside a vector of 4, 8, 16 or 32 numbers.
constexpr int64_t kSizes[] = {0, 1, 3, 7, 17, 33};
constexpr int64_t kPrimes[] = {5, 7, 11, 3, 13, 2};
constexpr int64_t kMostElements = 3000;
constexpr int64_t kMostMultiple = 4;  // for axes of stacked gates, such as [4 H, H]

using Sizes = std::vector<std::pair<int64_t, int64_t>>;  // pairs of old and new size

int64_t resized(int64_t size, const Sizes& sizes, bool multiples) {
  for (const auto& [from, to] : sizes) {
    if (size == from) return to;
  }
  for (const auto& [from, to] : sizes) {
    if (multiples && size % from == 0 && size / from <= kMostMultiple) return size / from * to;
  }
  return size;
}

// Whether the domain contains 0 and does not keep away from it.
bool takes_zeros(const InputSpec& spec) {
  const Domain& domain = spec.domain;
  const bool drawn = !spec.absent && !spec.fixed.defined() && is_floating(spec.dtype) && domain.gap == 0.0;
  return drawn && domain.low < 0.0 && domain.high > 0.0 && domain.keep_away.empty();
}

// Draws smaller numbers for larger sizes: longer sums grow, and longer recurrences become chaotic.
void shrink(InputSpec& spec, int64_t size) {
  constexpr int64_t kSmall = 4;
  if (size <= kSmall || !takes_zeros(spec)) return;
  const double factor = 1.0 / std::sqrt(static_cast<double>(size));
  spec.domain.low *= factor;
  spec.domain.high *= factor;
}

// The example with other sizes. Nothing when a size belongs to fixed values, or the result is too large.
std::optional<Example> with_sizes(const Example& example, const Sizes& sizes, bool multiples) {
  Example out = example;
  out.expected.clear();
  for (InputSpec& spec : out.inputs) {
    if (spec.absent) continue;
    Shape shape = spec.fixed.defined() ? spec.fixed.shape() : spec.shape;
    bool same = true;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const int64_t size = resized(shape[axis], sizes, multiples);
      same = same && size == shape[axis];
      shape = shape.with(axis, size);
    }
    if ((spec.fixed.defined() && !same) || shape.numel() > kMostElements) return std::nullopt;
    spec.shape = shape;
  }
  for (const auto& [from, to] : sizes) {
    for (InputSpec& spec : out.inputs) shrink(spec, to);
  }
  for (const auto& [from, to] : sizes) out.name += join(", ", to, " for ", from);
  return out;
}

bool is_taken(const OpDef& op, const Example& example, uint64_t seed) {
  try {
    const NoGrad off;
    const OpCase c{op, example, seed};
    c.outputs(as_variables(c.inputs()));
    return true;
  } catch (const Error&) {
    return false;
  }
}

// The sizes in the example that can be changed, in the order of its axes.
std::vector<int64_t> sizes_of(const Example& example) {
  std::vector<int64_t> found;
  for (const InputSpec& spec : example.inputs) {
    if (spec.absent || spec.fixed.defined()) continue;
    for (int axis = 0; axis < spec.shape.rank(); ++axis) {
      const int64_t size = spec.shape[axis];
      if (size > 1 && std::find(found.begin(), found.end(), size) == found.end()) found.push_back(size);
    }
  }
  return found;
}

std::vector<Sizes> resizings_of(const Example& example) {
  std::vector<Sizes> all;
  const std::vector<int64_t> sizes = sizes_of(example);
  for (const int64_t from : sizes) {
    for (const int64_t to : kSizes) {
      if (to != from) all.push_back({{from, to}});
    }
  }
  Sizes primes;
  for (size_t k = 0; k < sizes.size() && k < std::size(kPrimes); ++k) primes.emplace_back(sizes[k], kPrimes[k]);
  if (primes.size() > 1) all.push_back(primes);
  return all;
}

constexpr int kArrangements = 4;

// One of several layouts: transposed, with gaps, expanded, or with the first two axes exchanged and an offset.
Tensor arranged(const Tensor& x, int way) {
  if (!x.defined()) return x;
  const int rank = x.rank();
  const std::vector<LayoutVariant> variants = layout_variants(rank);
  const auto named = [&](const std::string& name) {
    const auto found = std::find_if(variants.begin(), variants.end(), [&](const auto& v) { return v.name == name; });
    return (found == variants.end() ? variants.front() : *found).arrange(x);
  };
  switch (way % kArrangements) {
    case 0:
      return rank < 2 ? named("gaps on axis 0") : named(join("axes ", rank - 2, " and ", rank - 1, " exchanged"));
    case 1:
      return named(join("gaps on axis ", rank - 1));
    case 2:
      return rank == 0 || x.numel() == 0 ? named("offset") : repeated(x, rank - 1);
    default:
      return rank < 3 ? named("offset") : named("axes 0 and 1 exchanged");
  }
}

Tensors copies_of(const Tensors& tensors) {
  Tensors copies;
  for (const Tensor& tensor : tensors) copies.push_back(tensor.defined() ? tensor.clone() : tensor);
  return copies;
}

void compare_layouts(const OpCase& c, int way, const CheckOpOptions& options, OpCheck& check) {
  Tensors moved = c.inputs();
  for (size_t i = 0; i < moved.size(); ++i) moved[i] = arranged(moved[i], way + static_cast<int>(i));
  const Tensors dense = copies_of(moved);
  const std::string what = join(c.name(), ", arrangement ", way);
  {
    const NoGrad off;
    const Variables got = c.outputs(as_variables(moved));
    const Variables expected = c.outputs(as_variables(dense));
    compare(got, expected, options.layout_units * kEps64, what, check);
  }
  if (!c.has_vjp() || c.differentiable_inputs().empty()) return;
  const Derivatives expected = differentiate(c.function(dense), leaves_of(c, dense), c.seed);
  Tensors cotangents = expected.cotangents;
  for (Tensor& cotangent : cotangents) cotangent = arranged(cotangent, way % 2);
  compare(gradients_with(c.function(moved), leaves_of(c, moved), cotangents), expected.gradients,
          options.gradient_units * kEps64, what + ", gradients", check);
}

void compare_differences(const OpCase& c, const Tensors& inputs, OpCheck& check) {
  if (!why_not_compared(c).empty()) return;
  {
    const NoGrad off;  // the mean of an empty tensor is NaN, and NaN has no differences
    for (const Variable& output : c.outputs(as_variables(inputs))) {
      if (is_floating(output.dtype()) && !all_finite(output.value())) return;
    }
  }
  std::vector<NamedInput> named;
  for (size_t i : c.differentiable_inputs()) named.push_back({input_name(c.op, i), inputs[i]});
  const auto f = c.function(inputs);
  const GradcheckReport report =
      gradcheck(f, named, {.mode = GradcheckMode::directional, .directions = 1, .seed = c.seed, .diagnose = false});
  const bool right = report.state != CheckState::failed;
  check.require(right, right ? "" : join(c.name(), ": ", verdict_text(report)));
}

}  // namespace

void check_sweep(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  int64_t refused = 0;
  for (const Sizes& sizes : resizings_of(c.example)) {
    std::optional<Example> example = with_sizes(c.example, sizes, false);
    if (!example || !is_taken(c.op, *example, c.seed)) example = with_sizes(c.example, sizes, true);
    if (!example || !is_taken(c.op, *example, c.seed)) {
      ++refused;
      continue;
    }
    const OpCase other{c.op, *example, c.seed};
    for (int way = 0; way < kArrangements; ++way) compare_layouts(other, way, options, check);
    compare_differences(other, other.inputs(), check);
  }
  if (refused > 0) check.skip("the op refuses these sizes", join(c.name(), " (", refused, ")"));
}

bool put_zeros(const OpCase& c, Tensors& inputs) {
  bool any = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!takes_zeros(c.example.inputs[i]) || inputs[i].numel() < 2) continue;
    double* values = inputs[i].mutable_data_<double>();
    for (int64_t j = 0; j < inputs[i].numel(); j += 3) values[j] = 0.0;
    any = true;
  }
  return any;
}

void check_zeros(const OpCase& c, const CheckOpOptions&, OpCheck& check) {
  Tensors inputs = c.inputs();
  if (!put_zeros(c, inputs)) return check.skip("no input takes zeros", c.name());
  compare_differences(c, inputs, check);
}

void check_untouched(const OpCase& c, const CheckOpOptions&, OpCheck& check) {
  const Tensors inputs = c.inputs();
  const Tensors before = copies_of(inputs);
  const auto require_same = [&](const Tensors& now, const Tensors& then, const char* what, const char* when) {
    for (size_t i = 0; i < now.size(); ++i) {
      if (!now[i].defined()) continue;
      const std::string name = std::string(what) == "input" ? input_text(c.op, i) : join(what, " ", i);
      check.require(bitwise_equal(now[i], then[i]), join(c.name(), ": ", name, " is written to by the ", when));
    }
  };
  {
    const NoGrad off;
    c.outputs(as_variables(inputs));
    require_same(inputs, before, "input", "forward");
  }
  if (!c.has_vjp() || c.differentiable_inputs().empty()) return;
  const Tensors again = copies_of(before);
  const Derivatives first = differentiate(c.function(again), leaves_of(c, again), c.seed);
  const Tensors cotangents = copies_of(first.cotangents);
  const Variables leaves = leaves_of(c, again);
  const EnableGrad on;
  Variables outputs;
  for (const Variable& output : c.function(again)(leaves)) {
    if (output.defined() && output.requires_grad()) outputs.push_back(output);
  }
  const Tensors values = copies_of(values_of(outputs));
  static_cast<void>(grad(outputs, leaves, {.allow_unused = true, .cotangents = as_variables(cotangents)}));
  require_same(again, before, "input", "derivative");
  require_same(cotangents, first.cotangents, "cotangent", "derivative");
  require_same(values_of(outputs), values, "output", "derivative");
}

}  // namespace gradus::detail

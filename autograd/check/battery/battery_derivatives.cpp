// SPDX-License-Identifier: MIT
// Checks the derivatives of every op against differences, against the reference, and in f32.
#include <cstdio>

#include <gradus/autograd/check/battery/battery.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/reference.hpp>

namespace gradus::detail {
namespace {

// A fused op without a backward kernel of its own is differentiated through its reference at every order.
bool uses_reference_at_first_order(const OpDef& op) { return op.derivative.vjp() == vjp_via_reference; }

bool has_reference_gradients(const OpCase& c, OpCheck& check) {
  if (c.op.reference != nullptr && c.has_vjp()) return true;
  check.skip("no reference, or no derivative", c.name());
  return false;
}

Variables first_derivatives(const OpCase& c, DType dtype, bool of_reference) {
  const Tensors inputs = c.inputs(dtype);
  return differentiate(c.function(inputs, of_reference), leaves_of(c, inputs), c.seed).gradients;
}

Variables second_order(const OpCase& c, DType dtype, bool of_reference) {
  const Tensors inputs = c.inputs(dtype);
  const Variables leaves = leaves_of(c, inputs);
  const Derivatives first = differentiate(c.function(inputs, of_reference), leaves, c.seed, true);
  return second_derivatives(first.gradients, leaves, 5);
}

}  // namespace

std::string why_not_compared(const OpCase& c) {
  if (c.op.derivative.is_discrete()) return "gives integers or bools, a constant";
  if (c.op.derivative.refusal() != nullptr) return "refuses derivatives";
  if (!c.example.no_differences.empty()) return c.example.no_differences;
  return c.differentiable_inputs().empty() ? "has no differentiable input" : "";
}

GradcheckReport gradcheck_case(const OpCase& c, const Tensors& inputs, const GradcheckOptions& options) {
  std::vector<NamedInput> named;
  for (size_t i : c.differentiable_inputs()) named.push_back({input_name(c.op, i), inputs[i]});
  const auto f = c.function(inputs);
  GradcheckOptions own = options;
  own.order = c.has_second_order() ? 2 : 1;
  own.seed = c.seed;
  return gradcheck(f, named, own);
}

void check_differences(const OpCase& c, const CheckOpOptions&, OpCheck& check) {
  const std::string reason = why_not_compared(c);
  if (!reason.empty()) return check.skip(reason, c.name());
  if (!c.has_second_order()) check.skip("second derivatives are refused", c.name());
  const GradcheckReport report = gradcheck_case(c, c.inputs());
  for (const std::string& why : report.not_checked) check.skip("not checked", c.name() + ": " + why);
  for (const std::string& problem : report.problems) check.require(false, c.name() + ": " + problem);
  for (const GradcheckResult& result : report.results) {
    check.count += result.passed + result.failed;
    const bool right = result.passed > 0 || (result.unreachable > 0 && report.passed() > 0);
    if (result.order == 1) check.found_right["the derivative with respect to " + result.input] |= right;
    const std::string where = c.name() + ", " + result.input + ", order " + std::to_string(result.order);
    if (result.error > check.worst || check.where.empty()) {
      check.worst = result.error;
      check.where = where;
      check.bound = result.allowed;
    }
    if (result.checked == 0 && result.shape.numel() > 0) check.failures.push_back(where + ": nothing was compared");
    if (result.ok) continue;
    char numbers[80];
    std::snprintf(numbers, sizeof numbers, "%.12g, differences give %.12g", result.analytic, result.numeric);
    const bool named = result.signature.kind != SignatureKind::none;
    check.failures.push_back(
        join(where, ": the derivative at ", result.where, " is ", numbers,
             named ? join("; ", name_of(result.signature.kind), ": ", result.signature.text) : ""));
  }
  if (report.state == CheckState::failed && check.failures.empty())
    check.failures.push_back(c.name() + ": " + report.text());
}

void check_reference_gradients(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (!has_reference_gradients(c, check)) return;
  compare(first_derivatives(c, DType::f64, false), first_derivatives(c, DType::f64, true),
          options.reference_units * kEps64, c.name(), check);
}

void check_f32_reference_gradients(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (!has_reference_gradients(c, check) || !checks_f32(c, options, check)) return;
  compare(first_derivatives(c, DType::f32, false), first_derivatives(c, DType::f64, true),
          options.gradient_units * kEps32, c.name(), check);
}

void check_reference_second(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (!has_reference_gradients(c, check)) return;
  if (!c.has_second_order()) return check.skip("second derivatives are refused", c.name());
  compare(second_order(c, DType::f64, false), second_order(c, DType::f64, true), options.reference_units * kEps64,
          c.name(), check);
}

void check_f32_reference_second(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (!has_reference_gradients(c, check) || !checks_f32(c, options, check)) return;
  if (!c.has_second_order()) return check.skip("second derivatives are refused", c.name());
  compare(second_order(c, DType::f32, false), second_order(c, DType::f64, true), options.second_units * kEps32,
          c.name(), check);
}

void check_kernels_only(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (!c.has_vjp()) return check.skip("has no derivative", c.name());
  if (uses_reference_at_first_order(c.op)) return check.skip("its derivative is that of its reference", c.name());
  for (DType dtype : dtypes_of(options)) {
    for (bool create_graph : {false, true}) {
      if (create_graph && !c.has_second_order()) continue;
      const Tensors inputs = c.inputs(dtype);
      const PathCounts before = path_counts();
      differentiate(c.function(inputs), leaves_of(c, inputs), c.seed, create_graph);
      const PathCounts after = path_counts();
      check.require(after.reference == before.reference, c.name() + ": a first derivative ran a reference");
      check.require(c.op.reference == nullptr || after.fused > before.fused, c.name() + ": the kernel did not run");
    }
  }
}

void check_f32_gradients(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (!c.has_vjp()) return check.skip("has no derivative", c.name());
  if (!checks_f32(c, options, check)) return;
  const Tensors exact = c.inputs(DType::f64);
  const Tensors rounded = c.inputs(DType::f32);
  const Derivatives in_f64 = differentiate(c.function(exact), leaves_of(c, exact), c.seed);
  const Derivatives in_f32 = differentiate(c.function(rounded), leaves_of(c, rounded), c.seed);
  for (const Variable& gradient : in_f32.gradients) {
    check.require(gradient.dtype() == DType::f32, c.name() + ": a gradient of an f32 input is not f32");
  }
  compare(in_f32.gradients, in_f64.gradients, options.gradient_units * kEps32, c.name(), check);
}

}  // namespace gradus::detail

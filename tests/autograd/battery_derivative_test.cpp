// SPDX-License-Identifier: MIT
// The battery, part 2: derivatives of every op on every example against differences and against the reference.
#include <set>

#include <gradus/autograd/gradcheck.hpp>

#include "tests/support/battery.hpp"
#include "tests/support/catch.hpp"

using namespace gradus;
using namespace gradus::tests;

namespace {

constexpr double kEps32 = 0x1p-23;

std::vector<NamedInput> named_inputs(const OpCase& c, const Tensors& inputs) {
  std::vector<NamedInput> named;
  for (size_t i : c.differentiable_inputs()) named.push_back({"input " + std::to_string(i), inputs[i]});
  return named;
}

// d/d(leaves) of sum_i <weights_i, gradient_i>, weights drawn by `seed`.
Variables second_derivatives(const Variables& gradients, const Variables& leaves, uint64_t seed) {
  RandomTensors random(seed);
  Variables recorded;
  Variables weights;
  for (const Variable& gradient : gradients) {
    const Tensor weight = random.floating(gradient.shape(), gradient.dtype(), {.low = 0.5, .high = 1.5});
    if (!gradient.requires_grad()) continue;
    recorded.push_back(gradient);
    weights.push_back(weight);
  }
  Variables results = grad(recorded, leaves, {.allow_unused = true, .cotangents = weights});
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!results[i].defined()) results[i] = zeros(leaves[i].shape(), {.dtype = leaves[i].dtype()});
  }
  return results;
}

void compare(const Variables& got, const Variables& expected, double allowed, const std::string& what, Worst& worst) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = largest_error(got[i].value(), expected[i].value());
    worst.take(error, what);
    INFO(what << ", gradient " << i);
    CHECK(error <= allowed);
  }
}

// A fused op without a backward kernel of its own is differentiated through its reference at every order.
bool uses_reference_at_first_order(const OpDef& op) { return op.derivative.vjp() == vjp_via_reference; }

}  // namespace

TEST_CASE("battery: first and second derivatives are those of differences") {
  Worst worst[3];
  Skips skips;
  std::set<std::string> differentiated;
  std::set<std::string> inputs_checked;
  std::set<std::string> inputs_promised;
  int64_t derivatives = 0;
  int64_t examples = 0;
  for_each_case([&](const OpCase& c) {
    for (size_t i : c.differentiable_inputs()) inputs_promised.insert(std::string(c.op.name) + " " + std::to_string(i));
    if (c.op.derivative.is_discrete()) return skips.add("gives integers or bools, a constant", c.name());
    if (c.op.derivative.refusal() != nullptr) return skips.add("refuses, see the test of refusals", c.name());
    if (!c.example.no_differences.empty()) return skips.add(c.example.no_differences, c.name());
    if (c.differentiable_inputs().empty()) return skips.add("has no differentiable input", c.name());
    const Tensors inputs = c.inputs();
    const auto f = c.function(inputs);
    const GradcheckReport report = gradcheck(f, named_inputs(c, inputs), {.order = 2, .seed = c.seed});
    INFO(c.name() << ", seed " << c.seed << "\n" << report.text());
    CHECK(report.ok);
    // Measured (seven seeds): up to 2e-11 at order 1, 5e-11 at order 2.
    CHECK(report.worst_error(1) < 1e-9);
    CHECK(report.worst_error(2) < 1e-8);
    for (int order : {1, 2}) worst[order].take(report.worst_error(order), c.name());
    for (const GradcheckResult& result : report.results) CHECK((result.checked > 0 || result.shape.numel() == 0));
    derivatives += report.checked();
    ++examples;
    differentiated.insert(c.op.name);
    for (size_t i : c.differentiable_inputs()) {
      if (inputs[i].numel() > 0) inputs_checked.insert(std::string(c.op.name) + " " + std::to_string(i));
    }
  });
  std::set<std::string> others;
  for (const OpDef* op : all_ops()) {
    if (op->derivative.vjp() == nullptr) others.insert(op->name);
  }
  CHECK(differentiated.size() + others.size() == all_ops().size());
  CHECK(inputs_checked == inputs_promised);
  std::cout << "battery: derivatives of " << differentiated.size() << " ops (" << others.size() << " have none), "
            << examples << " examples, " << inputs_checked.size() << " inputs: " << derivatives
            << " compared\n    worst error at order 1: " << worst[1].text()
            << "\n    worst error at order 2: " << worst[2].text() << "\n"
            << skips.text();
}

TEST_CASE("battery: a fused op and its reference have the same first and second derivatives") {
  Worst worst[3];
  int64_t count = 0;
  for_each_case([&](const OpCase& c) {
    if (c.op.reference == nullptr || c.op.derivative.vjp() == nullptr) return;
    const Tensors inputs = c.inputs();
    const Variables leaves = leaves_of(c, inputs);
    const Derivatives fused = differentiate(c.function(inputs), leaves, c.seed, true);
    // Measured: 2e-15 at both orders.
    const Derivatives reference = differentiate(c.function(inputs, true), leaves, c.seed, true);
    compare(fused.gradients, reference.gradients, 1e-13, c.name(), worst[1]);
    compare(second_derivatives(fused.gradients, leaves, 5), second_derivatives(reference.gradients, leaves, 5), 1e-13,
            c.name() + " (order 2)", worst[2]);
    ++count;
  });
  CHECK(count > 0);
  std::cout << "battery: " << count << " examples against the derivatives of the reference, worst error "
            << worst[1].text() << ", second derivatives " << worst[2].text() << "\n";
}

TEST_CASE("battery: first derivatives run no reference, even when they are recorded") {
  Skips skips;
  int64_t fused = 0;
  for_each_case([&](const OpCase& c) {
    if (c.op.derivative.vjp() == nullptr) return;
    if (uses_reference_at_first_order(c.op)) return skips.add("its derivative is that of its reference", c.name());
    for (DType dtype : {DType::f32, DType::f64}) {
      for (bool create_graph : {false, true}) {
        const Tensors inputs = c.inputs(dtype);
        const PathCounts before = path_counts();
        differentiate(c.function(inputs), leaves_of(c, inputs), c.seed, create_graph);
        const PathCounts after = path_counts();
        INFO(c.name());
        CHECK(after.reference == before.reference);
        if (c.op.reference != nullptr) CHECK(after.fused > before.fused);
        fused += after.fused - before.fused;
      }
    }
  });
  CHECK(fused > 0);
  std::cout << "battery: first derivatives ran fused kernels " << fused << " times and references never\n"
            << skips.text();
}

TEST_CASE("battery: gradients in f32 are those in f64, but for rounding") {
  Worst worst;
  for_each_case([&](const OpCase& c) {
    if (c.op.derivative.vjp() == nullptr) return;
    const Tensors exact = c.inputs(DType::f64);
    const Tensors rounded = c.inputs(DType::f32);
    const Derivatives in_f64 = differentiate(c.function(exact), leaves_of(c, exact), c.seed);
    const Derivatives in_f32 = differentiate(c.function(rounded), leaves_of(c, rounded), c.seed);
    for (const Variable& gradient : in_f32.gradients) CHECK(gradient.dtype() == DType::f32);
    // Measured: up to 59 eps (seven seeds), in the backward pass of a GRU.
    compare(in_f32.gradients, in_f64.gradients, 200 * kEps32, c.name(), worst);
  });
  std::cout << "battery: gradients in f32 against f64, worst error " << worst.text() << "\n";
}

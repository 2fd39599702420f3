// SPDX-License-Identifier: MIT
// The battery, part 2: compares the derivatives of every op on every example with differences and with the reference.
#include "tests/support/battery.hpp"
#include "tests/support/gradcheck_mode.hpp"

using namespace gradus;
using namespace gradus::tests;

TEST_CASE("battery: first and second derivatives are those of differences") {
  Worst worst[3];
  OpCheck all;
  std::set<std::string> differentiated;
  std::set<std::string> inputs_checked;
  std::set<std::string> inputs_promised;
  int64_t derivatives = 0;
  int64_t examples = 0;
  for_each_case([&](const detail::OpCase& c) {
    for (size_t i : c.differentiable_inputs()) inputs_promised.insert(std::string(c.op.name) + " " + std::to_string(i));
    const std::string reason = detail::why_not_compared(c);
    if (!reason.empty()) return all.skip(reason, c.name());
    const detail::Tensors inputs = c.inputs();
    const GradcheckReport report =
        detail::gradcheck_case(c, inputs, {.mode = kSweepMode, .directions = kSweepDirections});

    INFO(c.name() << ", seed " << c.seed << "\n" << report.text());
    CHECK(report.state != CheckState::failed);
    const bool nothing =
        std::all_of(inputs.begin(), inputs.end(), [](const Tensor& x) { return !x.defined() || x.numel() == 0; });
    CHECK((report.ok || nothing || report.results.empty()));  // an empty input or output has no derivative to check
    CHECK(report.kinks() == 0);
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
            << all.skips_text();
}

TEST_CASE("battery: a fused op and its reference have the same first and second derivatives") {
  // Measured: 2e-15 at both orders; allowed 1e-13.
  int64_t cases = 0;
  const OpCheck first = over_all_ops(detail::check_reference_gradients, &cases);
  const OpCheck second = over_all_ops(detail::check_reference_second);
  const auto count = cases - static_cast<int64_t>(first.skips.size());
  CHECK(count > 0);
  CHECK(first.skips.size() == second.skips.size());
  CHECK(first.bound < 1.1e-13);
  std::cout << "battery: " << count << " examples against the derivatives of the reference, worst error "
            << first.worst_text() << ", second derivatives " << second.worst_text() << "\n";
}

TEST_CASE("battery: first derivatives run no reference, even when they are recorded") {
  const int64_t before = path_counts().fused;
  const OpCheck kernels = over_all_ops(detail::check_kernels_only);
  const int64_t fused = path_counts().fused - before;
  CHECK(kernels.count > 1000);
  CHECK(fused > 0);
  std::cout << "battery: first derivatives ran fused kernels " << fused << " times and references never\n"
            << kernels.skips_text();
}

TEST_CASE("battery: gradients in f32 are those in f64, except for rounding") {
  const OpCheck f32 = over_all_ops(detail::check_f32_gradients);
  CHECK(f32.count > 500);
  std::cout << "battery: gradients in f32 against f64, worst error " << f32.worst_text() << "\n";
}

// SPDX-License-Identifier: MIT
// The battery, part 6: third derivatives. A fused backward op is differentiated through its reference at second order.
// The third order is the first one that differentiates that derivative.
#include <gradus/autograd/check/gradcheck.hpp>

#include "tests/support/battery.hpp"
#include "tests/support/catch.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::OpCase;

namespace {

// The first small example of an op that can be compared with differences. It must be small because the work grows with
// each order.
bool is_sample(const OpCase& c) {
  if (c.op.derivative.vjp() == nullptr || !c.example.no_differences.empty()) return false;
  int64_t elements = 0;
  for (size_t i : c.differentiable_inputs()) elements += c.example.inputs[i].shape.numel();
  return elements > 0 && elements <= 200;
}

}  // namespace

TEST_CASE("battery: third derivatives are those of differences, for every differentiable op") {
  Worst worst;
  std::map<std::string, int> examples;
  int64_t derivatives = 0;
  for_each_case([&](const OpCase& c) {
    constexpr int kExamples = 2;
    if (!is_sample(c) || examples[c.op.name] >= kExamples) return;
    ++examples[c.op.name];
    const detail::Tensors inputs = c.inputs();
    std::vector<NamedInput> named;
    for (size_t i : c.differentiable_inputs()) named.push_back({"input " + std::to_string(i), inputs[i]});
    const auto f = c.function(inputs);
    const GradcheckReport report =
        gradcheck(f, named, {.order = 3, .mode = GradcheckMode::directional, .directions = 2, .seed = c.seed});
    INFO(c.name() << ", seed " << c.seed << "\n" << report.text());
    CHECK(report.ok);
    // Measured (seven seeds): up to 7e-10.
    CHECK(report.worst_error(3) < 1e-7);
    worst.take(report.worst_error(3), c.name());
    for (const GradcheckResult& result : report.results) derivatives += result.order == 3 ? result.checked : 0;
  });
  std::string missing;
  int64_t count = 0;
  for (const OpDef* op : all_ops()) {
    if (op->derivative.vjp() == nullptr) continue;
    ++count;
    if (examples.count(op->name) == 0) missing += std::string(" ") + op->name;
  }
  INFO("ops without a third derivative checked:" << missing);
  CHECK(missing.empty());
  CHECK(static_cast<int64_t>(examples.size()) == count);
  CHECK(derivatives > 500);
  std::cout << "battery: third derivatives of " << examples.size() << " ops: " << derivatives
            << " compared, worst error " << worst.text() << "\n";
}

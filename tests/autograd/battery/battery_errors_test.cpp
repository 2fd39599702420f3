// SPDX-License-Identifier: MIT
// The battery, part 4: what every op refuses, and with which message.
#include "tests/support/battery.hpp"

using namespace gradus;
using namespace gradus::tests;

TEST_CASE("battery: every case that must be refused throws its error message") {
  int64_t cases = 0;
  const OpCheck refused = over_all_ops(detail::check_refused, &cases, true);
  CHECK(cases > 0);
  CHECK(refused.count == 2 * cases);
  std::set<std::string> ops;
  for_each_case([&](const detail::OpCase& c) { ops.insert(c.op.name); }, true);
  std::cout << "battery: " << cases << " refused cases of " << ops.size() << " ops\n";
  std::string without;
  for (const OpDef* op : all_ops()) {
    const bool takes_anything = op == &alias_op;
    if (ops.count(op->name) == 0 && !takes_anything) without += std::string(" ") + op->name;
  }
  INFO("ops without a refused case:" << without);
  CHECK(without.empty());
}

TEST_CASE("battery: an undefined input is named, unless it is optional") {
  CHECK(over_all_ops(detail::check_undefined_inputs).count >= static_cast<int64_t>(all_ops().size()));
}

TEST_CASE("battery: an op without a derivative refuses with its reason, a discrete one gives constants") {
  int64_t cases = 0;
  const OpCheck refused = over_all_ops(detail::check_refused_derivatives, &cases);
  CHECK(cases > static_cast<int64_t>(refused.skips.size()));
  std::cout << "battery: " << cases - static_cast<int64_t>(refused.skips.size())
            << " examples of ops that are discrete or refuse, " << refused.count << " outputs and derivatives\n";
}

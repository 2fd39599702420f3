// SPDX-License-Identifier: MIT
#pragma once

#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gradus/autograd/check/battery/battery.hpp>
#include <gradus/autograd/check/battery/layout_variants.hpp>
#include <gradus/autograd/check/battery/op_case.hpp>
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/node.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

namespace gradus::tests {

/// The largest error and its place.
struct Worst {
  double error = 0.0;
  std::string where = "nowhere";

  void take(double value, const std::string& place) {
    if (value > error || where == "nowhere") {
      error = value;
      where = place;
    }
  }
  std::string text() const { return detail::short_number(error) + " (" + where + ")"; }
};

/// Calls body(detail::OpCase) for every example of every op that must work (or, on request, that must be refused).
/// Returns the number of calls.
template <class Body>
int64_t for_each_case(const Body& body, bool refused = false) {
  int64_t count = 0;
  for (const OpDef* op : all_ops()) {
    if (op->examples == nullptr) continue;
    const std::vector<Example> examples = op->examples();
    for (const Example& example : examples) {
      if (example.error.empty() == refused) continue;
      body(detail::OpCase{*op, example, seed(11)});
      ++count;
    }
  }
  return count;
}

/// The error bounds for the library's own ops. Measured (seven seeds): gradients in f32 up to 59 units, in the backward
/// pass of a GRU, and up to 62 where products of transposed matrices add in another order; values 8.
inline CheckOpOptions battery_options() { return {.seed = seed(11), .layout_units = 16}; }

/// Runs the check on every example of every op. Each failure fails an assertion. `cases`, when given, counts the
/// examples.
inline OpCheck over_all_ops(detail::CaseCheck check, int64_t* cases = nullptr, bool refused = false) {
  OpCheck all;
  const CheckOpOptions options = battery_options();
  const int64_t count = for_each_case([&](const detail::OpCase& c) { check(c, options, all); }, refused);
  if (cases != nullptr) *cases = count;
  for (const std::string& failure : all.failures) {
    INFO(failure << " (seed " << options.seed << ")");
    CHECK(failure.empty());
  }
  return all;
}

}  // namespace gradus::tests

// SPDX-License-Identifier: MIT
// The battery, part 3: the rules of every vjp, apart from being right.
#include "tests/support/battery.hpp"

using namespace gradus;
using namespace gradus::tests;

TEST_CASE("battery: a cotangent of zeros gives exact zeros") {
  CHECK(over_all_ops(detail::check_zero_cotangent).count > 500);
}

TEST_CASE("battery: the memory layout of a cotangent or an input changes no gradient") {
  const OpCheck layouts = over_all_ops(detail::check_gradient_layouts);
  CHECK(layouts.count > 2000);
  std::cout << "battery: " << layouts.count
            << " gradients for other arrangements of inputs and cotangents, worst error " << layouts.worst_text()
            << "\n";
}

TEST_CASE("battery: one Variable passed as two inputs gets the sum of both gradients") {
  const OpCheck pairs = over_all_ops(detail::check_same_variable_twice);
  CHECK(pairs.count > 20);
  std::cout << "battery: " << pairs.count << " pairs of inputs given by one Variable\n";
}

TEST_CASE("battery: asking for one gradient gives the same bits and computes no other") {
  const OpCheck alone = over_all_ops(detail::check_one_gradient);
  CHECK(alone.count > 400);
  for (const std::string& note : alone.notes) {
    INFO(note);
    CHECK(note.empty());
  }
  std::cout << "battery: " << alone.count << " comparisons for gradients asked for alone\n";
}

TEST_CASE("battery: values and gradients have the same bits in every run and with every number of threads") {
  CHECK(battery_options().threads == std::vector<int>{1, 2, 3});
  CHECK(over_all_ops(detail::check_same_bits).count > 5000);
}

// SPDX-License-Identifier: MIT
// The battery, part 1: the values of every op on every example.
#include "tests/support/battery.hpp"

using namespace gradus;
using namespace gradus::tests;

TEST_CASE("battery: every op stands in the list once, and has examples that work and cases that are refused") {
  std::map<std::string, int> names;
  for (const OpDef* op : all_ops()) {
    INFO(op->name);
    ++names[op->name];
    REQUIRE(op->shape != nullptr);
    REQUIRE(op->forward != nullptr);
    REQUIRE(op->examples != nullptr);
    int works = 0;
    std::map<std::string, int> example_names;
    for (const Example& example : op->examples()) {
      works += example.error.empty() ? 1 : 0;
      ++example_names[example.name];
    }
    CHECK(works > 0);
    for (const auto& [name, count] : example_names) {
      INFO("example " << name);
      CHECK(count == 1);
    }
  }
  for (const auto& [name, count] : names) {
    INFO(name);
    CHECK(count == 1);
  }
  std::cout << "battery: " << all_ops().size() << " ops\n";
}

TEST_CASE("battery: every input of every op has a name of its own") {
  int64_t inputs = 0;
  for (const OpDef* op : all_ops()) {
    INFO(op->name);
    size_t most = 0;
    for (const Example& example : op->examples()) {
      if (example.error.empty()) most = std::max(most, example.inputs.size());
    }
    std::set<std::string> seen;
    for (size_t i = 0; i < most; ++i) {
      INFO("input " << i);
      CHECK(input_name(*op, i).find(' ') == std::string::npos);  // a missing name would give "input 2"
      CHECK(seen.insert(input_name(*op, i)).second);
      ++inputs;
    }
    const bool many = op->input_names[0] != nullptr && std::string(op->input_names[0]).ends_with("...");
    CHECK((many || op->input_names[most] == nullptr));
  }
  CHECK(inputs > 180);
  CHECK(input_name(concat_op, 2) == "parts[2]");
  CHECK(input_text(linear_op, 2) == "input bias");
  const OpDef nameless = {.name = "f", .shape = nullptr, .forward = nullptr, .derivative = Derivative::none("no")};
  CHECK(input_name(nameless, 1) == "input 1");
  CHECK(input_text(nameless, 1) == "input 1");
}

TEST_CASE("battery: the shape rule states what the forward gives") {
  int64_t cases = 0;
  const OpCheck shapes = over_all_ops(detail::check_shapes, &cases);
  CHECK(cases >= static_cast<int64_t>(all_ops().size()));
  CHECK(shapes.count > 4 * cases);  // shape and layout of each output in two dtypes
  std::cout << "battery: shape rules held to " << shapes.count / 2 << " outputs of " << cases << " examples\n";
}

TEST_CASE("battery: values are those of the reference and the expected ones") {
  // Measured: 2e-15. The f32 kernel, which users train with, against the reference in f64: 8 eps.
  int64_t cases = 0;
  const OpCheck in_f64 = over_all_ops(detail::check_against_reference, &cases);
  const OpCheck in_f32 = over_all_ops(detail::check_f32_against_reference);
  const OpCheck written = over_all_ops(detail::check_expected);
  const auto with_reference = cases - static_cast<int64_t>(in_f64.skips.size());
  const auto with_values = cases - static_cast<int64_t>(written.skips.size());
  CHECK(with_reference > 0);
  CHECK(with_values > 0);
  CHECK(in_f64.bound < 1.1e-13);
  std::cout << "battery: " << with_reference << " examples against a reference, " << with_values
            << " against values; worst error in f64 " << in_f64.worst_text() << " and " << written.worst_text()
            << ", in f32 " << in_f32.worst_text() << "\n";
}

TEST_CASE("battery: f32 gives what f64 gives, except for rounding") {
  int64_t cases = 0;
  const OpCheck f32 = over_all_ops(detail::check_f32_values, &cases);
  CHECK(f32.count > cases);
  std::cout << "battery: f32 against f64 over " << cases << " examples, worst error " << f32.worst_text() << "\n";
}

TEST_CASE("battery: the memory layout of an input changes nothing") {
  const OpCheck layouts = over_all_ops(detail::check_layouts);
  CHECK(layouts.count > 1000);
  std::cout << "battery: " << layouts.count << " outputs for other arrangements of inputs, " << layouts.exact
            << " without any error, worst error " << layouts.worst_text() << "\n";
}

TEST_CASE("battery: an expanded input counts as its copy") {
  const OpCheck expanded = over_all_ops(detail::check_expanded);
  CHECK(expanded.count > 500);
  std::cout << "battery: " << expanded.count << " outputs for expanded inputs, worst error " << expanded.worst_text()
            << "\n";
}

TEST_CASE("battery: inputs of NaN and infinity crash nothing") {
  CHECK(over_all_ops(detail::check_not_finite).count > 1000);
}

// SPDX-License-Identifier: MIT
// The battery, part 4: what every op refuses, and in which words.
#include "tests/support/battery.hpp"
#include "tests/support/catch.hpp"

using namespace gradus;
using namespace gradus::tests;
using Catch::Matchers::StartsWith;

TEST_CASE("battery: every case that must be refused is, in its words") {
  int64_t cases = 0;
  std::set<std::string> ops;
  for (const OpDef* op : all_ops()) {
    for (const Example& example : op->examples()) {
      if (example.error.empty()) continue;
      const OpCase c{*op, example, seed(11)};
      INFO(c.name());
      const Variables inputs = as_variables(RandomTensors::literal_inputs(example, c.seed));
      std::string message;
      try {
        c.all_outputs(inputs);
      } catch (const Error& error) {
        message = error.what();
      }
      CHECK_THAT(message, contains_text(example.error));
      CHECK_THAT(message, StartsWith("["));
      ++cases;
      ops.insert(op->name);
    }
  }
  CHECK(cases > 0);
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
  int64_t inputs_tried = 0;
  for (const OpDef* op : all_ops()) {
    for (const Example& example : op->examples()) {
      if (!example.error.empty()) continue;
      const OpCase c{*op, example, seed(11)};
      Variables complete = as_variables(c.inputs());
      if (c.lacks_auxiliary(complete)) op->complete(example.attrs, complete);
      for (size_t i = 0; i < complete.size(); ++i) {
        if (in_mask(op->optional_inputs, static_cast<int>(i))) continue;
        Variables inputs = complete;
        inputs[i] = Variable();
        std::vector<const Variable*> pointers;
        for (const Variable& input : inputs) pointers.push_back(&input);
        Variables outputs(c.num_outputs(complete));
        INFO(c.name());
        CHECK_THROWS_WITH(
            apply_into(*op, example.attrs, pointers, outputs),
            contains_text("[" + std::string(op->name) + "] input " + std::to_string(i) + " is undefined"));
        ++inputs_tried;
      }
      break;
    }
  }
  CHECK(inputs_tried >= static_cast<int64_t>(all_ops().size()));
}

TEST_CASE("battery: an op without a derivative refuses with its reason, a discrete one gives constants") {
  int64_t refusing = 0;
  int64_t discrete = 0;
  for_each_case([&](const OpCase& c) {
    if (c.op.derivative.vjp() != nullptr) return;
    INFO(c.name());
    const EnableGrad on;
    Variables inputs;
    for (const Tensor& input : c.inputs()) {
      const bool floating = input.defined() && is_floating(input.dtype());
      inputs.push_back(floating ? leaf(input) : Variable(input));
    }
    const Variables outputs = c.outputs(inputs);
    if (c.op.derivative.is_discrete()) {
      ++discrete;
      for (const Variable& output : outputs) CHECK(!output.requires_grad());
      return;
    }
    for (const Variable& input : inputs) {
      if (!input.requires_grad()) continue;
      ++refusing;
      const Variable cotangent = zeros(outputs[0].shape(), {.dtype = outputs[0].dtype()});
      CHECK_THROWS_WITH(
          grad({outputs[0]}, {input}, {.cotangents = {cotangent}}),
          contains_text("[" + std::string(c.op.name) + "] is not differentiable: " + c.op.derivative.refusal()));
    }
  });
  CHECK(discrete > 0);
  std::cout << "battery: " << discrete << " examples of discrete ops, " << refusing << " refused derivatives\n";
}

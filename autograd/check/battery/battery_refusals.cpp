// SPDX-License-Identifier: MIT
// Checks what every op refuses, and with which message.
#include <exception>

#include <gradus/autograd/check/battery/battery.hpp>
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/op.hpp>

namespace gradus::detail {
namespace {

// The message of the exception that the call throws; empty when it throws nothing.
template <class Call>
std::string error_of(const Call& call) {
  try {
    static_cast<void>(call());
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void require_text(const std::string& message, const std::string& expected, const std::string& what, OpCheck& check) {
  const bool found = message.find(expected) != std::string::npos;
  check.require(found, what + (message.empty() ? ": nothing was thrown" : ": the error is \"" + message + "\"") +
                           ", expected one with \"" + expected + "\"");
}

}  // namespace

void check_refused(const OpCase& c, const CheckOpOptions&, OpCheck& check) {
  const Variables inputs = as_variables(RandomTensors::literal_inputs(c.example, c.seed));
  const std::string message = error_of([&] { c.all_outputs(inputs); });
  require_text(message, c.example.error, c.name(), check);
  check.require(message.empty() || message.front() == '[', c.name() + ": the error does not begin with [op]");
}

void check_undefined_inputs(const OpCase& c, const CheckOpOptions&, OpCheck& check) {
  Variables complete = as_variables(c.inputs());
  if (c.lacks_auxiliary(complete)) c.op.complete(c.example.attrs, complete);
  Variables outputs(c.num_outputs(complete));
  for (size_t i = 0; i < complete.size(); ++i) {
    if (in_mask(c.op.optional_inputs, static_cast<int>(i))) continue;
    Variables inputs = complete;
    inputs[i] = Variable();
    std::vector<const Variable*> pointers;
    for (const Variable& input : inputs) pointers.push_back(&input);
    require_text(error_of([&] { apply_into(c.op, c.example.attrs, pointers, outputs); }),
                 join("[", c.op.name, "] ", input_text(c.op, i), " is undefined"),
                 c.name() + ", " + input_text(c.op, i) + " undefined", check);
  }
}

void check_refused_derivatives(const OpCase& c, const CheckOpOptions&, OpCheck& check) {
  if (c.has_second_order()) return check.skip("refuses no derivative", c.name());
  const EnableGrad on;
  Variables inputs;
  for (const Tensor& input : c.inputs()) {
    const bool floating = input.defined() && is_floating(input.dtype());
    inputs.push_back(floating ? leaf(input) : Variable(input));
  }
  const Variables outputs = c.outputs(inputs);
  if (c.op.derivative.is_discrete()) {
    for (const Variable& output : outputs) {
      check.require(!output.requires_grad(), c.name() + ": discrete, but an output is not a constant");
    }
    return;
  }
  const Variable cotangent = zeros(outputs[0].shape(), {.dtype = outputs[0].dtype()});
  const bool only_second = c.has_vjp();
  const std::string expected =
      only_second ? join("[", c.op.name, "] has first derivatives only, which cannot be recorded (create_graph): ",
                         c.op.derivative.second_order_refusal())
                  : join("[", c.op.name, "] is not differentiable: ", c.op.derivative.refusal());
  for (const Variable& input : inputs) {
    if (!input.requires_grad()) continue;
    require_text(error_of([&] {
                   return grad({outputs[0]}, {input},
                               {.create_graph = only_second, .allow_unused = only_second, .cotangents = {cotangent}});
                 }),
                 expected, c.name(), check);
  }
}

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
#include <gradus/autograd/grad.hpp>

#include <gradus/autograd/engine/pass.hpp>

namespace gradus {
namespace {

Variable seed_of(const Variable& output, const Variable& given, const char* op) {
  if (given.defined()) {
    GRADUS_CHECK(given.shape() == output.shape() && given.dtype() == output.dtype(), "[", op,
                 "] cotangent differs from its output: expected ", describe(output), ", got ", describe(given));
    return given;
  }
  GRADUS_CHECK(output.numel() == 1, "[", op, "] an output of several elements needs a cotangent: got ",
               describe(output));
  return ones(output.shape(), {.dtype = output.dtype()});
}

}  // namespace

std::vector<Variable> grad(const std::vector<Variable>& outputs, const std::vector<Variable>& inputs,
                           const GradOptions& options) {
  GRADUS_CHECK(options.cotangents.empty() || options.cotangents.size() == outputs.size(),
               "[grad] wrong number of cotangents: expected ", outputs.size(), ", got ", options.cotangents.size());
  for (size_t k = 0; k < outputs.size(); ++k) {
    GRADUS_CHECK(outputs[k].defined(), "[grad] output ", k, " is undefined: expected a tensor");
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    GRADUS_CHECK(inputs[i].requires_grad(), "[grad] input ", i, " (", describe(inputs[i]),
                 ") was not recorded: make it with leaf(), or use a Parameter");
  }
  Pass pass(&inputs, options.create_graph, options.retain_graph || options.create_graph);
  pass.mark(outputs);
  for (size_t k = 0; k < outputs.size(); ++k) {
    pass.seed(outputs[k], seed_of(outputs[k], options.cotangents.empty() ? Variable() : options.cotangents[k], "grad"));
  }
  pass.run();
  std::vector<Variable> results(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    results[i] = pass.result(i);
    GRADUS_CHECK(options.allow_unused || results[i].defined(), "[grad] no output depends on input ", i, " (",
                 describe(inputs[i]), "): set allow_unused to get an undefined gradient instead");
  }
  return results;
}

void backward(const Variable& loss, const BackwardOptions& options) {
  GRADUS_CHECK(loss.requires_grad(), "[backward] the loss (", describe(loss), ") depends on no parameter");
  Pass pass(nullptr, false, options.retain_graph);
  pass.seed(loss, seed_of(loss, options.cotangent, "backward"));
  pass.run();
  GRADUS_CHECK(pass.deliver(), "[backward] the loss (", describe(loss),
               ") depends on leaves only, and a gradient is stored in Parameters alone: ",
               "take it from grad({loss}, {x}) instead, or make x a Parameter");
}

}  // namespace gradus

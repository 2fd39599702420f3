// SPDX-License-Identifier: MIT
#include <gradus/autograd/engine/reference.hpp>

#include <algorithm>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/node.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/views/alias.hpp>

namespace gradus {
namespace {

// A substitute for `input` at which a derivative ends, so that only the reference is differentiated, not what comes
// before it. When the derivative is recorded, it passes through the substitute to the input.
Variable stand_in(const Variable& input, bool recorded) {
  if (!recorded) return leaf(input.value());
  return alias(input.requires_grad() ? input : leaf(input.value()));
}

// Makes all nodes recorded from here on younger than the nodes of `inputs`. A walk that looks for the substitutes goes
// back no further than the oldest of them, so it does not enter the graph that an outer walk is walking.
void stay_younger_than(InputSpan inputs) {
  int64_t& sequence = context().sequence;
  for (const Variable* input : inputs) {
    if (input->requires_grad()) sequence = std::max(sequence, input->node()->sequence);
  }
}

}  // namespace

void run_reference(const OpDef& op, const Attrs& attrs, InputSpan inputs, std::span<Variable> outputs) {
  GRADUS_CHECK(op.reference != nullptr, "[", op.name, "] has no reference");
  ++context().reference_runs;
  op.reference(attrs, inputs, outputs.data());
}

void reference_of_backward(const OpDef& forward, const Attrs& attrs, InputSpan inputs,
                           std::span<const Variable> cotangents, uint32_t wanted, std::span<Variable> gradients) {
  const bool recorded = context().grad_enabled;
  const EnableGrad on;
  stay_younger_than(inputs);
  std::vector<Variable> stand_ins(inputs.size());
  std::vector<const Variable*> given(inputs.begin(), inputs.end());
  std::vector<Variable> targets;
  std::vector<size_t> positions;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!in_mask(wanted, static_cast<int>(i)) || !inputs[i]->defined() || !is_floating(inputs[i]->dtype())) continue;
    stand_ins[i] = stand_in(*inputs[i], recorded);
    given[i] = &stand_ins[i];
    targets.push_back(stand_ins[i]);
    positions.push_back(i);
  }
  if (targets.empty()) return;

  std::vector<Variable> outputs(cotangents.size());
  run_reference(forward, attrs, given, outputs);
  std::vector<Variable> reached;
  std::vector<Variable> reached_cotangents;
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (!cotangents[k].defined() || !outputs[k].requires_grad()) continue;
    reached.push_back(outputs[k]);
    reached_cotangents.push_back(cotangents[k]);
  }
  const std::vector<Variable> results =
      grad(reached, targets, {.create_graph = recorded, .allow_unused = true, .cotangents = reached_cotangents});
  for (size_t t = 0; t < targets.size(); ++t) gradients[positions[t]] = results[t];
}

// Inside a vjp, recording is on exactly when the derivative will be differentiated again (create_graph).
void vjp_via_reference(VjpArgs& args) {
  const OpDef& op = args.op();
  const auto count = static_cast<size_t>(args.num_inputs());
  std::vector<Variable> inputs(count);
  std::vector<const Variable*> pointers(count);
  uint32_t wanted = 0;
  for (size_t i = 0; i < count; ++i) {
    const int index = static_cast<int>(i);
    pointers[i] = &inputs[i];
    if (in_mask(op.auxiliary_inputs, index)) continue;  // the reference computes it again
    inputs[i] = args.in(index);
    if (args.needs(index)) wanted |= i < 32 ? 1U << i : kAllBits;
  }
  std::vector<Variable> cotangents(static_cast<size_t>(args.num_outputs()));
  for (size_t k = 0; k < cotangents.size(); ++k) {
    const int index = static_cast<int>(k);
    if (args.has_cotangent(index)) cotangents[k] = args.cotangent(index);
  }
  std::vector<Variable> gradients(count);
  reference_of_backward(op, args.raw_attrs(), pointers, cotangents, wanted, gradients);
  for (size_t i = 0; i < count; ++i) args.set(static_cast<int>(i), gradients[i]);
}

}  // namespace gradus

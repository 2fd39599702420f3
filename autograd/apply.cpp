// SPDX-License-Identifier: MIT
#include <gradus/autograd/op.hpp>

#include <climits>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/inline_array.hpp>
#include <gradus/autograd/engine/node.hpp>
#include <gradus/autograd/inspect.hpp>

namespace gradus {
namespace {

[[gnu::noinline]] void throw_missing_input(const OpDef& op, size_t i) {
  detail::throw_error(detail::join("[", op.name, "] ", input_text(op, i), " is undefined: expected a tensor"));
}

[[gnu::noinline]] void show(const ApplyObserver& observer, const OpDef& op, const Attrs& attrs, InputSpan inputs,
                            const Variable* outputs, int count) {
  observer.call(observer.state, op, attrs, inputs.data(), inputs.size(), outputs, static_cast<size_t>(count));
}

[[gnu::noinline]] void throw_too_many_inputs(const OpDef& op, size_t count) {
  detail::throw_error(detail::join("[", op.name, "] too many inputs: expected at most ", INT_MAX, ", got ", count));
}

struct CheckedInputs {
  bool differentiable = false;  // some input comes from a differentiable leaf
  int kept_shapes = 0;          // the number of inputs for which keeps_shape() holds
};

// Whether the node must keep the shape of a given input that is a constant. The shapes of other inputs are kept by the
// nodes that made them, or by the saved values.
bool keeps_shape(const OpDef& op, size_t i) { return !in_mask(op.saves.inputs, static_cast<int>(i)); }

CheckedInputs check_inputs(const OpDef& op, InputSpan inputs) {
  if (inputs.size() > static_cast<size_t>(INT_MAX)) [[unlikely]]
    throw_too_many_inputs(op, inputs.size());
  CheckedInputs checked;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i]->defined()) {
      if (!in_mask(op.optional_inputs, static_cast<int>(i))) throw_missing_input(op, i);
    } else if (inputs[i]->requires_grad()) {
      checked.differentiable = true;
    } else if (keeps_shape(op, i)) {
      ++checked.kept_shapes;
    }
  }
  return checked;
}

template <class Count>
NodeRef record(Context& here, const OpDef& op, const Attrs& attrs, InputSpan inputs, int kept_shapes,
               const Tensor* outputs, Count num_outputs) {
  NodeRef node = detail::make_node(&op, attrs, static_cast<int>(inputs.size()), num_outputs, kept_shapes);
  int64_t sequence = here.sequence;
  for (int k = 0; k < num_outputs; ++k) new (&node->output(k)) OutputSlot(outputs[k], in_mask(op.saves.outputs, k));
  Shape* own = node->shapes();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Variable& input = *inputs[i];
    const Shape* shape = nullptr;
    if (input.requires_grad()) {
      Node& source = *input.node().get();
      shape = &source.output(input.output()).shape;
      if (source.sequence > sequence) sequence = source.sequence;
    } else if (input.defined()) {
      shape = &detail::known_body(input.value()).layout.shape();
      if (keeps_shape(op, i)) shape = new (own++) Shape(*shape);
    }
    new (&node->input(static_cast<int>(i))) InputSlot(input, in_mask(op.saves.inputs, static_cast<int>(i)), shape);
  }
  node->sequence = here.sequence = sequence + 1;
  if (here.anomaly) [[unlikely]]
    node->path = detail::lasting_scope_path();
  return node;
}

// Makes the output Variables from the shapes. `Count` is int or a compile-time constant; with a constant no loop over
// the outputs remains.
template <class Count>
void run(const OpDef& op, const Attrs& attrs, InputSpan inputs, CheckedInputs checked, const ShapeArgs& shapes,
         Tensor* results, Count count, Variable* outputs) {
  if (!op.is_view) {
    for (int k = 0; k < count; ++k) results[k] = Tensor::empty(shapes.output_shape(k), shapes.output_dtype(k));
  }
  Context& here = context();
  const bool recorded = checked.differentiable && here.grad_enabled && !op.derivative.is_discrete();
  if (op.reference != nullptr) ++here.fused_applications;
  {
    const GradModeGuard off(here, false);
    ForwardArgs forward(attrs, inputs, results);
    op.forward(forward);
  }
  if (here.anomaly) [[unlikely]]
    detail::check_forward(op, inputs, results, count);
  if (!recorded) {
    for (int k = 0; k < count; ++k) outputs[k] = Variable(std::move(results[k]));
    if (here.apply_observer != nullptr) [[unlikely]]
      show(*here.apply_observer, op, attrs, inputs, outputs, count);
    return;
  }
  NodeRef node = record(here, op, attrs, inputs, checked.kept_shapes, results, count);
  for (int k = 0; k < count; ++k) {
    const bool floating = is_floating(detail::known_body(results[k]).dtype);
    // NOLINTNEXTLINE(bugprone-use-after-move): the last one takes it
    NodeRef source = !floating ? NodeRef() : k + 1 < count ? node : std::move(node);
    outputs[k] = Variable(std::move(results[k]), std::move(source), floating ? k : 0);
  }
  if (here.apply_observer != nullptr) [[unlikely]]
    show(*here.apply_observer, op, attrs, inputs, outputs, count);
}

}  // namespace

void apply_into(const OpDef& op, const Attrs& attrs, InputSpan inputs, std::span<Variable> outputs) {
  const CheckedInputs checked = check_inputs(op, inputs);
  ShapeArgs shapes(op, attrs, inputs);
  op.shape(shapes);
  const int count = shapes.num_outputs();
  GRADUS_ASSERT(static_cast<size_t>(count) == outputs.size());
  if (count == 1) {
    Tensor result;
    return run(op, attrs, inputs, checked, shapes, &result, std::integral_constant<int, 1>(), outputs.data());
  }
  detail::InlineArray<Tensor, kInlineOutputs> results(static_cast<size_t>(count));
  run(op, attrs, inputs, checked, shapes, results.data(), count, outputs.data());
}

}  // namespace gradus

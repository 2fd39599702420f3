// SPDX-License-Identifier: MIT
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/node.hpp>
#include <gradus/autograd/engine/pass.hpp>
#include <gradus/autograd/inspect.hpp>
#include <gradus/autograd/op.hpp>

namespace gradus {
namespace {

enum class Slot { input, output };

// "input x", "output 0"
std::string text_of(const OpDef& op, Slot slot, int index) {
  return slot == Slot::input ? input_text(op, static_cast<size_t>(index)) : detail::join("output ", index);
}

[[gnu::noinline]] void throw_changed(const OpDef& op, Slot slot, int index, const Tensor& value, uint32_t version) {
  detail::throw_error(detail::join("[", op.name, "] backward needs ", text_of(op, slot, index), " (", describe(value),
                                   ") but it was changed in place: version ", value.version(), ", expected ", version));
}

[[gnu::noinline]] void throw_wrong_gradient(const OpDef& op, int input, const InputSlot& slot, const Variable& got) {
  detail::throw_error(detail::join("[", op.name, "] vjp gave a gradient of the wrong shape for ",
                                   input_text(op, static_cast<size_t>(input)), ": expected ", slot.dtype, " ",
                                   *slot.shape, ", got ", describe(got)));
}

// The message names the bit to set, or kAllBits.
[[gnu::noinline]] void throw_not_saved(const OpDef& op, Slot slot, int index) {
  const char* mask = slot == Slot::input ? "saves.inputs" : "saves.outputs";
  const std::string bit = index < 32 ? detail::join("bit ", index, " of ", mask, " set, or kAllBits")
                                     : detail::join(mask, " = kAllBits, since bits name the first 32 only");
  detail::throw_error(detail::join("[", op.name, "] the vjp reads ", text_of(op, slot, index),
                                   ", which the op does not save: expected ", bit));
}

// A separate function, because it would cost registers in the common path.
[[gnu::noinline]] void put_zeros(OutputSlot& slot) {
  slot.cotangent = zeros({}, {.dtype = slot.dtype}).expand(slot.shape);
}

}  // namespace

const OpDef& VjpArgs::op() const { return *node_.op; }
const Attrs& VjpArgs::raw_attrs() const { return node_.attrs; }
int VjpArgs::num_inputs() const { return node_.num_inputs; }
int VjpArgs::num_outputs() const { return node_.num_outputs; }
bool VjpArgs::has(int i) const { return node_.input(i).given; }
const Shape& VjpArgs::in_shape(int i) const { return *node_.input(i).shape; }
const Shape& VjpArgs::out_shape(int k) const { return node_.output(k).shape; }

Variable VjpArgs::in(int i) const {
  const InputSlot& slot = node_.input(i);
  if (!slot.given) return Variable();
  if (!slot.value.defined()) [[unlikely]]
    throw_not_saved(op(), Slot::input, i);
  if (slot.value.version() != slot.version) throw_changed(op(), Slot::input, i, slot.value, slot.version);
  Variable value = pass_.create_graph() ? Variable(slot.value, slot.node, slot.output) : Variable(slot.value);
  pass_.show(op(), VjpValue::input, i, value);
  return value;
}

Variable VjpArgs::out(int k) const {
  const OutputSlot& slot = node_.output(k);
  if (!slot.value.defined()) [[unlikely]]
    throw_not_saved(op(), Slot::output, k);
  if (slot.value.version() != slot.version) throw_changed(op(), Slot::output, k, slot.value, slot.version);
  const bool constant = !pass_.create_graph() || in_mask(op().auxiliary_outputs, k) || !is_floating(slot.dtype);
  Variable value = constant ? Variable(slot.value) : Variable(slot.value, NodeRef(&node_), k);
  pass_.show(op(), VjpValue::output, k, value);
  return value;
}

bool VjpArgs::has_cotangent(int k) const { return node_.output(k).cotangent.defined(); }

const Variable& VjpArgs::cotangent(int k) const {
  OutputSlot& slot = node_.output(k);
  if (!slot.cotangent.defined()) [[unlikely]] {
    put_zeros(slot);
    pass_.show(op(), VjpValue::cotangent, k, slot.cotangent);
  }
  return slot.cotangent;
}

bool VjpArgs::needs(int i) const { return pass_.wants(node_.input(i)); }

void VjpArgs::set(int i, Gradient gradient) {
  pass_.show(op(), VjpValue::gradient, i, gradient.variable);
  if (!needs(i) || !gradient.variable.defined()) return;
  InputSlot& slot = node_.input(i);
  const Variable& g = gradient.variable;
  if (!(g.shape() == *slot.shape) || g.dtype() != slot.dtype) [[unlikely]]
    throw_wrong_gradient(op(), i, slot, g);
  if (pass_.anomaly()) [[unlikely]]
    detail::check_gradient(node_, i, g);
  pass_.accumulate(*slot.node.get(), slot.output, std::move(gradient.variable));
}

}  // namespace gradus

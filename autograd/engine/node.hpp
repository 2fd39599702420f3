// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/op.hpp>

namespace gradus {

class Pass;
class Parameter;

/// An input of a node: the edge to the node it came from and, when the vjp reads it, its value.
struct InputSlot {
  /// `kept`: the shape of a given input. Its owner must live as long as the node.
  InputSlot(const Variable& x, bool save, const Shape* kept) noexcept
      : node(x.node()), shape(kept), output(x.output()), given(x.defined()) {
    if (!given) return;
    const detail::TensorBody& body = detail::known_body(x.value());
    dtype = body.dtype;
    if (!save) return;
    value = x.value();
    version = body.storage.version();
  }

  NodeRef node;  // null when no derivative flows there
  Tensor value;
  const Shape* shape;
  uint32_t version = 0;
  int output;
  bool given;
  bool wanted = false;  // set by the pass that marked this node
  DType dtype = DType::f32;
};

/// An output of a node: its value when the vjp reads it, and the cotangent that the running pass has added up for it.
/// The value is never a Variable, because that would be a reference cycle.
struct OutputSlot {
  OutputSlot(const Tensor& y, bool save) noexcept : OutputSlot(y, detail::known_body(y), save) {}
  OutputSlot(const Tensor& y, const detail::TensorBody& body, bool save) noexcept
      : dtype(body.dtype), shape(body.layout.shape()) {
    if (!save) return;
    value = y;
    version = body.storage.version();
  }

  Tensor value;
  Variable cotangent;
  DType dtype = DType::f32;
  uint32_t version = 0;
  Shape shape;
};

/// One application of an op, or a leaf (op == nullptr). Its slots follow it in the same block of memory.
struct Node {
  explicit Node(const Attrs& given) : attrs(given) {}

  uint32_t references = 1;  // must be the first member: NodeRef counts here
  bool freed = false;       // a backward without retain_graph has released the saved values
  bool queued = false;
  bool wanted = false;  // some output is an input of grad(), which the pass looks up
  bool leads_to_input = false;
  bool entered = false;       // the walk that sets these marks has been here
  bool of_parameter = false;  // the leaf of a Parameter, which may be destroyed already
  int num_inputs = 0;
  int num_outputs = 0;
  uint32_t block_lines = 0;  // size of the block, in units of kBlockAlignment bytes
  int64_t sequence = 0;
  uint64_t marked_by = 0;  // the pass that set `wanted`, `leads_to_input` and `entered`
  Pass* pass = nullptr;    // the running pass that holds cotangents here
  const OpDef* op = nullptr;
  const char* path = nullptr;      // path of the module that applied the op; set in anomaly mode
  Parameter* parameter = nullptr;  // the Parameter of a leaf; cleared when that is destroyed
  detail::ThreadCache* owner = nullptr;
  Node* next_dead = nullptr;
  Attrs attrs;

  InputSlot* inputs() { return reinterpret_cast<InputSlot*>(this + 1); }
  OutputSlot* outputs() { return reinterpret_cast<OutputSlot*>(inputs() + num_inputs); }
  InputSlot& input(int i) { return inputs()[i]; }
  OutputSlot& output(int k) { return outputs()[k]; }
  Shape* shapes() { return reinterpret_cast<Shape*>(outputs() + num_outputs); }
};

namespace detail {

/// A node without slots and with one reference to it. The caller must construct all slots before it does anything else.
/// There is room for `num_shapes` shapes after the slots.
NodeRef make_node(const OpDef* op, const Attrs& attrs, int num_inputs, int num_outputs, int num_shapes = 0);

}  // namespace detail
}  // namespace gradus

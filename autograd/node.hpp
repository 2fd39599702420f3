// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/op.hpp>

namespace gradus {

class Pass;
class Parameter;

/// An input of a node: the edge to where it came from and, when the vjp reads it, its value. A dropped value keeps its
/// shape and dtype.
struct InputSlot {
  NodeRef node;  // null: no derivative flows there
  int output = 0;
  uint32_t version = 0;
  bool given = false;
  Tensor value;
};

/// An output of a node: its storage when the vjp reads it (never a Variable: that would be a reference cycle), and the
/// cotangent that the running pass has gathered for it.
struct OutputSlot {
  uint32_t version = 0;
  Tensor value;
  Variable cotangent;
};

/// One application of an op, or a leaf (op == nullptr). The slots follow it in the same block of memory.
struct Node {
  uint32_t references = 0;  // must be first: NodeRef counts here
  bool freed = false;       // saved values were released by a backward without retain_graph
  bool queued = false;
  bool wanted = false;  // some output is an input of grad(): the pass looks it up
  bool leads_to_input = false;
  uint16_t num_inputs = 0;
  uint16_t num_outputs = 0;
  uint32_t block_bytes = 0;
  int64_t sequence = 0;
  uint64_t marked_by = 0;  // the pass whose marks `wanted` and `leads_to_input` are
  Pass* pass = nullptr;    // the running pass that holds cotangents here
  const OpDef* op = nullptr;
  Parameter* parameter = nullptr;  // of a leaf; cleared when the parameter goes
  detail::ThreadCache* owner = nullptr;
  Node* next_dead = nullptr;
  Attrs attrs;

  InputSlot* inputs() { return reinterpret_cast<InputSlot*>(this + 1); }
  OutputSlot* outputs() { return reinterpret_cast<OutputSlot*>(inputs() + num_inputs); }
  InputSlot& input(int i) { return inputs()[i]; }
  OutputSlot& output(int k) { return outputs()[k]; }
};

namespace detail {

/// A node with its slots constructed and one reference to it.
NodeRef make_node(const OpDef* op, const Attrs& attrs, int num_inputs, int num_outputs);

/// Drops what was saved; shapes stay.
void release_saved(Node& node);

}  // namespace detail
}  // namespace gradus

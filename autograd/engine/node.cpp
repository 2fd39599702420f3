// SPDX-License-Identifier: MIT
#include <gradus/autograd/engine/node.hpp>

#include <new>

#include <gradus/tensor/memory/block_cache.hpp>

namespace gradus::detail {

// The time of an op grows with the size of its node.
static_assert(sizeof(Node) == 176 && sizeof(InputSlot) == 40 && sizeof(OutputSlot) == 112);
static_assert(alignof(InputSlot) <= alignof(Node) && alignof(OutputSlot) <= alignof(Node));
static_assert(sizeof(Node) % alignof(InputSlot) == 0 && sizeof(InputSlot) % alignof(OutputSlot) == 0);

NodeRef make_node(const OpDef* op, const Attrs& attrs, int num_inputs, int num_outputs, int num_shapes) {
  const size_t bytes = sizeof(Node) + sizeof(InputSlot) * static_cast<size_t>(num_inputs) +
                       sizeof(OutputSlot) * static_cast<size_t>(num_outputs) +
                       sizeof(Shape) * static_cast<size_t>(num_shapes);
  const size_t lines = (bytes + kBlockAlignment - 1) / kBlockAlignment;
  if (lines > UINT32_MAX) throw std::bad_alloc();
  const Block block = allocate_small(lines * kBlockAlignment);
  auto* node = new (block.data) Node(attrs);
  node->num_inputs = num_inputs;
  node->num_outputs = num_outputs;
  node->block_lines = static_cast<uint32_t>(lines);
  node->op = op;
  node->owner = block.owner;
  return NodeRef::adopt(node);
}

namespace {

void free_one(Node* node) noexcept {
  for (int i = 0; i < node->num_inputs; ++i) node->input(i).~InputSlot();
  for (int k = 0; k < node->num_outputs; ++k) node->output(k).~OutputSlot();
  const size_t bytes = node->block_lines * kBlockAlignment;
  ThreadCache* owner = node->owner;
  node->~Node();
  free_small(node, bytes, owner);
}

}  // namespace

// Freeing a node may drop the last reference to the nodes of its inputs, and so on down a chain of any length. Nested
// calls only queue their node, and the outermost call frees them in a loop.
void destroy_node(Node* node) noexcept {
  thread_local Node* dead = nullptr;
  thread_local bool draining = false;
  node->next_dead = dead;
  dead = node;
  if (draining) return;
  draining = true;
  while (dead != nullptr) {
    Node* next = dead;
    dead = next->next_dead;
    free_one(next);
  }
  draining = false;
}

}  // namespace gradus::detail

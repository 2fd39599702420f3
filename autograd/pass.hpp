// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/node.hpp>

namespace gradus {

/// One walk over the recorded graph, from outputs towards inputs, by descending sequence number: every node is visited
/// after all that depend on it, and the order, hence every bit of the result, depends on nothing else. No recursion.
///
/// Interior nodes hold the cotangents gathered so far themselves; leaves may be shared by passes on several threads, so
/// theirs lie in a table of this pass.
class Pass {
 public:
  /// Without targets every parameter reached is one.
  Pass(const std::vector<Variable>* targets, bool create_graph, bool retain_graph);
  ~Pass();
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  /// Marks what leads from `outputs` to a target: nothing else is computed. Needed before seed() when there are
  /// targets.
  void mark(const std::vector<Variable>& outputs);
  void seed(const Variable& output, Variable cotangent);
  void run();
  /// Adds what the leaves gathered into their Parameters.
  void deliver();
  /// The cotangent of targets[i]; undefined when none arrived.
  Variable result(size_t i) const;

  bool create_graph() const { return create_graph_; }
  bool wants(const InputSlot& slot) const;
  void accumulate(Node& node, int output, Variable cotangent);

 private:
  struct Leaf {
    Node* node;
    Variable cotangent;
    bool target;
  };

  Leaf* find_leaf(const Node* node) const;
  Leaf& leaf_of(Node* node);
  void grow_table();
  bool marked(const Node& node) const { return node.marked_by == id_ && node.leads_to_input; }
  void mark_targets();
  void visit(Node& node);
  void collect_targets(Node& node, const Variable* cotangents);
  void push(Node* node);
  Node* pop();

  const std::vector<Variable>* targets_;
  const bool create_graph_;
  const bool retain_graph_;
  const uint64_t id_;
  int64_t lowest_sequence_ = 0;
  std::vector<Node*> heap_;
  mutable std::vector<Leaf> leaves_;
  std::vector<int> table_;  // open addressing: index into leaves_ + 1
  std::vector<Variable> results_;
};

}  // namespace gradus

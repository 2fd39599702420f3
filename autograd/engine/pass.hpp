// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/autograd/engine/node.hpp>
#include <gradus/autograd/grad.hpp>

namespace gradus {

/// One walk over the recorded graph, from outputs to inputs, by descending sequence number. Every node is visited after
/// all nodes that depend on it. The order depends on nothing else, so every bit of the result is fixed. The walk does
/// not recurse.
///
/// Interior nodes hold the cotangents gathered so far. Passes on several threads may share leaves, so the cotangents of
/// leaves are in a table of this pass.
class Pass {
  struct Leaf {
    Node* node;
    int output;
    Variable cotangent;
    bool target;
  };
  struct Frame {
    Node* node;
    int next_input;
  };

 public:
  /// Working memory that one pass of a thread hands to the next.
  struct Scratch {
    std::vector<Node*> heap;
    std::vector<Leaf> leaves;
    std::vector<size_t> table;  // open addressing: index into leaves + 1; empty while there are few leaves
    std::vector<Frame> stack;
    std::vector<Variable> results;  // of the targets that are not leaves
  };

  /// Without targets, every parameter that is reached is a target. The pass enters no node whose sequence number is at
  /// most `horizon`. Such a node may be a target, but it belongs to a graph that an outer pass may be walking.
  Pass(const std::vector<Variable>* targets, bool create_graph, bool retain_graph, int64_t horizon = -1);
  ~Pass();
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  /// Marks the nodes that lead from `outputs` to a target; only they are computed. Call it before seed() when there are
  /// targets.
  void mark(const std::vector<Variable>& outputs);
  void seed(const Variable& output, Variable cotangent);
  void run();
  /// Adds the gradients of the leaves into their Parameters. Returns false when no leaf belongs to a Parameter.
  bool deliver();
  /// The cotangent of targets[i]; undefined when none arrived.
  Variable result(size_t i) const;

  bool create_graph() const { return create_graph_; }
  /// Lets the filter of a test see, and change, a value that a vjp reads or returns.
  void show(const OpDef& op, VjpValue what, int index, Variable& value) const {
    if (filter_ != nullptr) [[unlikely]]
      filter_->call(filter_->state, op, what, index, value);
  }
  bool anomaly() const { return anomaly_; }
  /// Whether the gradient through this edge is needed. The node of the edge is being visited.
  bool wants(const InputSlot& slot) const { return targets_ == nullptr ? static_cast<bool>(slot.node) : slot.wanted; }
  void accumulate(Node& node, int output, Variable&& cotangent);

 private:
  bool is_end(const Node& node) const { return node.op == nullptr || node.sequence <= horizon_; }
  Leaf* find_leaf(const Node* node, int output) const;
  Leaf& leaf_of(Node* node, int output);
  void grow_table();
  bool marked(const Node& node) const { return node.marked_by == id_ && node.leads_to_input; }
  void require_unmarked(const Node& node) const;
  bool is_target(const Node* end, int output) const;
  void enter(Node* node);
  void mark_targets();
  static void release_saved(Node& node);
  [[noreturn]] void throw_freed(const Node& node) const;
  void visit(Node& node);
  void collect_targets(Node& node);
  void push(Node* node);
  Node* pop();

  const std::vector<Variable>* targets_;
  const bool create_graph_;
  const bool retain_graph_;
  const uint64_t id_;
  const int64_t horizon_;
  const VjpFilter* const filter_;
  const bool anomaly_;
  Pass* const outer_;  // the pass whose vjp created this pass
  int64_t lowest_sequence_ = 0;
  bool visited_any_ = false;  // a node that still had its saved values
  Scratch* scratch_;
  std::vector<Node*>& heap_;
  std::vector<Leaf>& leaves_;
  std::vector<size_t>& table_;
  std::vector<Variable>& results_;
};

}  // namespace gradus

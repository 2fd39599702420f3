// SPDX-License-Identifier: MIT
#include <gradus/autograd/engine/pass.hpp>

#include <algorithm>
#include <atomic>

#include <gradus/autograd/inspect.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>

namespace gradus {
namespace {

uint64_t next_pass_id() {
  static std::atomic<uint64_t> counter{0};
  return ++counter;
}

size_t hash_address(const Node* node) { return reinterpret_cast<uintptr_t>(node) / 64 * 0x9E3779B97F4A7C15ULL >> 20; }

bool later(const Node* a, const Node* b) { return a->sequence < b->sequence; }

constexpr size_t kFewLeaves = 8;

// Releases what a node has gathered when its visit ends, also after an exception.
struct EndOfVisit {
  Node& node;
  ~EndOfVisit() {
    for (int k = 0; k < node.num_outputs; ++k) node.output(k).cotangent = Variable();
    node.pass = nullptr;
  }
};

[[noreturn]] void throw_shared(const Node& node) {
  detail::throw_error(detail::join("[grad] the graph of [", node.op->name,
                                   "] is being differentiated by another pass: ",
                                   "a hook or a vjp may differentiate only what it has computed itself"));
}

thread_local Pass* t_innermost = nullptr;  // the innermost running pass

// One idle scratch per thread; a pass within a pass makes its own. It is a plain pointer, because destructors of static
// objects may call backward after the objects of this thread are destroyed. From then on no scratch is kept.
thread_local constinit Pass::Scratch* t_idle = nullptr;
thread_local constinit bool t_thread_ends = false;

struct EndOfThread {
  ~EndOfThread() {
    t_thread_ends = true;
    delete std::exchange(t_idle, nullptr);
  }
  bool armed = false;
};

thread_local EndOfThread t_end;

Pass::Scratch* take_scratch() { return t_idle != nullptr ? std::exchange(t_idle, nullptr) : new Pass::Scratch; }

void give_back(Pass::Scratch* scratch) {
  // Destroying Variables may run user code, so the scratch belongs to no pass until it is empty.
  scratch->heap.clear();
  scratch->leaves.clear();
  scratch->table.clear();
  scratch->stack.clear();
  scratch->results.clear();
  if (t_thread_ends || t_idle != nullptr) {
    delete scratch;
    return;
  }
  t_idle = scratch;
  t_end.armed = true;  // the access makes the thread run the destructor at its end
}

}  // namespace

Pass::Pass(const std::vector<Variable>* targets, bool create_graph, bool retain_graph, int64_t horizon)
    : targets_(targets),
      create_graph_(create_graph),
      retain_graph_(retain_graph),
      id_(next_pass_id()),
      horizon_(horizon),
      filter_(context().vjp_filter),
      anomaly_(context().anomaly),
      outer_(std::exchange(t_innermost, this)),
      scratch_(take_scratch()),
      heap_(scratch_->heap),
      leaves_(scratch_->leaves),
      table_(scratch_->table),
      results_(scratch_->results) {}

// After an exception, nodes that were still queued may hold cotangents.
Pass::~Pass() {
  for (Node* node : heap_) {
    for (int k = 0; k < node->num_outputs; ++k) node->output(k).cotangent = Variable();
    node->queued = false;
    node->pass = nullptr;
  }
  give_back(scratch_);
  t_innermost = outer_;
}

Pass::Leaf* Pass::find_leaf(const Node* node, int output) const {
  if (table_.empty()) {
    for (Leaf& leaf : leaves_) {
      if (leaf.node == node && leaf.output == output) return &leaf;
    }
    return nullptr;
  }
  for (size_t at = hash_address(node);; ++at) {
    const size_t index = table_[at % table_.size()];
    if (index == 0) return nullptr;
    Leaf& leaf = leaves_[index - 1];
    if (leaf.node == node && leaf.output == output) return &leaf;
  }
}

void Pass::grow_table() {
  table_.assign(std::max<size_t>(64, table_.size() * 2), 0);
  for (size_t i = 0; i < leaves_.size(); ++i) {
    size_t at = hash_address(leaves_[i].node);
    while (table_[at % table_.size()] != 0) ++at;
    table_[at % table_.size()] = i + 1;
  }
}

Pass::Leaf& Pass::leaf_of(Node* node, int output) {
  if (Leaf* found = find_leaf(node, output)) return *found;
  leaves_.push_back({.node = node, .output = output, .cotangent = Variable(), .target = false});
  if (leaves_.size() > kFewLeaves && leaves_.size() * 2 > table_.size()) {
    grow_table();
  } else if (!table_.empty()) {
    size_t at = hash_address(node);
    while (table_[at % table_.size()] != 0) ++at;
    table_[at % table_.size()] = leaves_.size();
  }
  return leaves_.back();
}

void Pass::mark_targets() {
  results_.resize(targets_->size());
  lowest_sequence_ = INT64_MAX;
  for (const Variable& target : *targets_) {
    Node* node = target.node().get();
    if (is_end(*node)) {
      leaf_of(node, target.output()).target = true;
    } else {
      require_unmarked(*node);
      node->marked_by = id_;
      node->entered = false;
      node->wanted = true;
      node->leads_to_input = true;
    }
    lowest_sequence_ = std::min(lowest_sequence_, is_end(*node) ? horizon_ + 1 : node->sequence);
  }
}

// A vjp may start a pass of its own. That pass must not overwrite the marks of the running one.
void Pass::require_unmarked(const Node& node) const {
  for (const Pass* outer = outer_; outer != nullptr; outer = outer->outer_) {
    if (node.marked_by == outer->id_) throw_shared(node);
  }
}

bool Pass::is_target(const Node* end, int output) const {
  const Leaf* leaf = find_leaf(end, output);
  return leaf != nullptr && leaf->target;
}

// Puts a node on the stack, unless nothing below it is wanted or it has been there before.
void Pass::enter(Node* node) {
  if (node->marked_by != id_) {
    require_unmarked(*node);
    node->marked_by = id_;
    node->wanted = false;
    node->leads_to_input = false;
  } else if (node->entered) {
    return;
  }
  node->entered = true;
  scratch_->stack.push_back({node, 0});
}

// Marks the targets first. Then walks depth first, with an explicit stack: a node leads to a target when it is one or
// when one of its inputs does. Nodes older than every target cannot lead to one.
void Pass::mark(const std::vector<Variable>& outputs) {
  mark_targets();
  std::vector<Frame>& stack = scratch_->stack;
  for (const Variable& output : outputs) {
    if (output.node() && !is_end(*output.node().get())) enter(output.node().get());
    while (!stack.empty()) {
      Node& node = *stack.back().node;
      if (stack.back().next_input == node.num_inputs) {
        stack.pop_back();
        continue;
      }
      // Looks at an input again when the walk has come back from it.
      InputSlot& slot = node.input(stack.back().next_input);
      Node* source = slot.node.get();
      if (source == nullptr) {
        slot.wanted = false;
      } else if (is_end(*source)) {
        slot.wanted = is_target(source, slot.output);
      } else if (source->sequence < lowest_sequence_) {
        slot.wanted = false;
      } else if (source->marked_by == id_ && source->entered) {
        slot.wanted = source->leads_to_input;
      } else {
        enter(source);
        continue;
      }
      node.leads_to_input = node.leads_to_input || slot.wanted;
      ++stack.back().next_input;
    }
  }
}

void Pass::push(Node* node) {
  heap_.push_back(node);
  if (heap_.size() > 1) std::push_heap(heap_.begin(), heap_.end(), later);
}

Node* Pass::pop() {
  if (heap_.size() > 1) std::pop_heap(heap_.begin(), heap_.end(), later);
  Node* node = heap_.back();
  heap_.pop_back();
  return node;
}

void Pass::seed(const Variable& output, Variable cotangent) {
  Node* node = output.node().get();
  if (node == nullptr) return;
  if (targets_ != nullptr) {
    if (is_end(*node) ? find_leaf(node, output.output()) == nullptr : !marked(*node)) return;
  }
  accumulate(*node, output.output(), std::move(cotangent));
}

void Pass::accumulate(Node& node, int output, Variable&& cotangent) {
  const bool is_leaf = is_end(node);
  Variable& slot = is_leaf ? leaf_of(&node, output).cotangent : node.output(output).cotangent;
  if (!is_leaf && node.pass != nullptr && node.pass != this) throw_shared(node);
  if (!is_leaf && !node.queued) {
    node.queued = true;
    node.pass = this;
    push(&node);
  }
  if (!slot.defined()) {
    slot = std::move(cotangent);
    return;
  }
  const Tensor& held = slot.value();
  // Adds in place only into a buffer that nothing else shares, so never into one that a vjp still uses.
  if (!create_graph_ && held.is_unique() && held.is_contiguous()) {
    Tensor buffer = std::move(const_cast<Tensor&>(held));
    buffer.add_(cotangent.value());
    slot = Variable(std::move(buffer));
  } else {
    slot = add(slot, cotangent);
  }
}

void Pass::collect_targets(Node& node) {
  for (size_t i = 0; i < targets_->size(); ++i) {
    const Variable& target = (*targets_)[i];
    if (target.node().get() == &node) results_[i] = node.output(target.output()).cotangent;
  }
}

void Pass::release_saved(Node& node) {
  for (int i = 0; i < node.num_inputs; ++i) {
    if (node.input(i).value.defined()) node.input(i).value = Tensor();
  }
  for (int k = 0; k < node.num_outputs; ++k) {
    if (node.output(k).value.defined()) node.output(k).value = Tensor();
  }
  node.freed = true;
}

// Either the first node of this pass was an output of an earlier pass too, or it is new and depends on a graph that was
// freed.
void Pass::throw_freed(const Node& node) const {
  detail::throw_error(detail::join(
      "[", node.op->name, "] was differentiated before, and what it saved is freed: ",
      visited_any_ ? "a value kept from an earlier step leads there; detach() what is kept from one step to the next"
                   : "pass retain_graph to the first backward to go through the same graph again"));
}

void Pass::visit(Node& node) {
  const EndOfVisit end{node};
  node.queued = false;
  if (targets_ != nullptr && node.wanted) collect_targets(node);
  bool any = targets_ == nullptr;
  for (int i = 0; i < node.num_inputs && !any; ++i) any = node.input(i).wanted;
  if (!any) return;

  const OpDef& op = *node.op;
  GRADUS_CHECK(op.derivative.refusal() == nullptr, "[", op.name, "] is not differentiable: ", op.derivative.refusal());
  GRADUS_CHECK(
      !create_graph_ || op.derivative.second_order_refusal() == nullptr, "[", op.name,
      "] has first derivatives only, which cannot be recorded (create_graph): ", op.derivative.second_order_refusal());
  if (node.freed) throw_freed(node);
  visited_any_ = true;
  for (int k = 0; k < node.num_outputs; ++k) {
    if (node.output(k).cotangent.defined()) show(op, VjpValue::cotangent, k, node.output(k).cotangent);
  }
  VjpArgs args(*this, node);
  op.derivative.vjp()(args);
  if (!retain_graph_) release_saved(node);
}

void Pass::run() {
  const GradModeGuard mode(create_graph_);
  // Anomaly mode does not check the ops inside a vjp. It checks the gradients that the vjp returns, under the name of
  // the differentiated op.
  const AnomalyGuard unwatched(false);
  while (!heap_.empty()) visit(*pop());
}

bool Pass::deliver() {
  bool any = leaves_.empty();
  for (Leaf& leaf : leaves_) {
    any = any || leaf.node->of_parameter;
    if (leaf.node->parameter != nullptr && leaf.cotangent.defined()) {
      leaf.node->parameter->add_gradient(std::move(leaf.cotangent));
    }
  }
  return any;
}

Variable Pass::result(size_t i) const {
  const Variable& target = (*targets_)[i];
  return is_end(*target.node().get()) ? find_leaf(target.node().get(), target.output())->cotangent : results_[i];
}

}  // namespace gradus

// SPDX-License-Identifier: MIT
// The forward runs f once with recording, finds the recorded values that f captured, and drops that graph. One node
// replaces it, with the captured values as additional inputs. Its vjp runs f again and differentiates that run.
#include <gradus/autograd/transforms.hpp>

#include <algorithm>
#include <memory>
#include <unordered_set>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/pass.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/views/alias.hpp>
#include <gradus/tensor/random/random_tape.hpp>

namespace gradus {
namespace {

struct ReadTensor {
  Tensor value;
  uint32_t version;
};

struct CheckpointState {
  detail::CheckpointFunction function;
  RandomTape tape = {};
  std::vector<Tensor> outputs = {};  // from the first run, until the forward returns them
  std::vector<Variable> captured = {};
  std::vector<ReadTensor> read = {};  // by the ops of the function, but not made by them
  size_t given = 0;                   // inputs of the function; the captured values come after them
};

struct CheckpointAttrs {
  std::shared_ptr<CheckpointState> state;
};

// Collects the tensors that ops on this thread read during its lifetime, without those that the ops made. These are the
// values that a function captures, constants included.
class TensorsRead {
 public:
  explicit TensorsRead(int64_t horizon) : horizon_(horizon), outer_(context().apply_observer) {
    context().apply_observer = &observer_;
  }
  ~TensorsRead() { context().apply_observer = outer_; }
  TensorsRead(const TensorsRead&) = delete;
  TensorsRead& operator=(const TensorsRead&) = delete;

  /// Call it after the function's own tensors are gone: a tensor with no other owner was one of them.
  std::vector<ReadTensor> take() {
    drop_unheld();
    return std::move(read_);
  }

 private:
  static void call(void* state, const OpDef& op, const Attrs& attrs, const Variable* const* inputs, size_t num_inputs,
                   const Variable* outputs, size_t num_outputs) {
    auto& self = *static_cast<TensorsRead*>(state);
    for (size_t i = 0; i < num_inputs; ++i) self.see(*inputs[i]);
    if (self.outer_ == nullptr) return;
    self.outer_->call(self.outer_->state, op, attrs, inputs, num_inputs, outputs, num_outputs);
  }

  void see(const Variable& x) {
    if (!x.defined() || (x.node() && x.node()->op != nullptr && x.node()->sequence > horizon_)) return;
    if (!seen_.insert(x.value().storage().data()).second) return;
    if (read_.size() >= most_unchecked_) {
      drop_unheld();
      most_unchecked_ = 2 * read_.size() + 64;
    }
    read_.push_back({x.value(), x.value().version()});
  }
  void drop_unheld() {
    std::erase_if(read_, [&](const ReadTensor& entry) {
      const bool unheld = entry.value.is_unique();
      if (unheld) seen_.erase(entry.value.storage().data());
      return unheld;
    });
  }

  int64_t horizon_;
  const ApplyObserver* outer_;
  std::vector<ReadTensor> read_;
  std::unordered_set<const void*> seen_;  // the addresses of their bytes
  size_t most_unchecked_ = 64;
  const ApplyObserver observer_ = {.call = call, .state = this};
};

// The leaves and older nodes that the graph between `outputs` and `horizon` depends on, without the `own` leaves.
class CapturedValues {
 public:
  CapturedValues(int64_t horizon, const std::vector<Variable>& own) : horizon_(horizon) {
    for (const Variable& x : own) {
      if (x.requires_grad()) own_.insert(x.node().get());
    }
  }

  std::vector<Variable> of(const std::vector<Variable>& outputs) {
    for (const Variable& y : outputs) {
      if (y.requires_grad()) meet(y.node(), y.output(), y.value(), y.shape(), y.dtype());
    }
    while (!open_.empty()) {
      Node* node = open_.back();
      open_.pop_back();
      for (int i = 0; i < node->num_inputs; ++i) {
        const InputSlot& slot = node->input(i);
        if (slot.node) meet(slot.node, slot.output, slot.value, *slot.shape, slot.dtype);
      }
    }
    return std::move(captured_);
  }

 private:
  void meet(const NodeRef& node, int output, const Tensor& value, const Shape& shape, DType dtype) {
    if (node->op != nullptr && node->sequence > horizon_) {
      if (seen_.insert(node.get()).second) open_.push_back(node.get());
      return;
    }
    if (own_.count(node.get()) > 0) return;
    for (const Variable& known : captured_) {
      if (known.node().get() == node.get() && known.output() == output) return;
    }
    // Only the edge of this Variable is used. TensorsRead notices changes of its value.
    captured_.emplace_back(value.defined() ? value : zeros({}, {.dtype = dtype}).expand(shape), node, output);
  }

  int64_t horizon_;
  std::unordered_set<Node*> own_;
  std::unordered_set<Node*> seen_;
  std::vector<Node*> open_;
  std::vector<Variable> captured_;
};

CheckpointState& state_of(const Attrs& attrs) { return *attrs.as<CheckpointAttrs>().state; }

std::vector<Variable> run_again(VjpArgs& v, CheckpointState& state, const std::vector<Variable>& inputs) {
  RandomTape::Replay replay(state.tape);
  std::vector<Variable> outputs = state.function(inputs);
  bool same = static_cast<int>(outputs.size()) == v.num_outputs();
  for (int k = 0; same && k < v.num_outputs(); ++k) {
    same = outputs[static_cast<size_t>(k)].shape() == v.out_shape(k);
  }
  GRADUS_CHECK(same, "[checkpoint] the function gave other outputs when it was run again: expected ", v.num_outputs(),
               " outputs of the same shapes, got ", outputs.size());
  return outputs;
}

void require_unchanged(const CheckpointState& state) {
  for (const ReadTensor& entry : state.read) {
    GRADUS_CHECK(entry.value.version() == entry.version,
                 "[checkpoint] backward needs a tensor that the function reads (", describe(entry.value),
                 ") but it was changed in place: version ", entry.value.version(), ", expected ", entry.version);
  }
}

void checkpoint_vjp(VjpArgs& v) {
  CheckpointState& state = state_of(v.raw_attrs());
  const bool recorded = context().grad_enabled;
  const EnableGrad on;
  std::vector<Variable> inputs, targets;
  std::vector<int> positions;
  const auto want = [&](int i, const Variable& target) {
    if (!v.needs(i)) return;
    targets.push_back(target);
    positions.push_back(i);
  };
  for (size_t i = 0; i < state.given; ++i) {
    const Variable x = v.in(static_cast<int>(i));
    const bool floating = v.needs(static_cast<int>(i));
    inputs.push_back(!floating ? Variable(x.value()) : recorded && x.requires_grad() ? alias(x) : leaf(x.value()));
    want(static_cast<int>(i), inputs.back());
  }
  for (size_t j = 0; j < state.captured.size(); ++j) want(static_cast<int>(state.given + j), state.captured[j]);
  require_unchanged(state);
  int64_t& sequence = context().sequence;
  for (const Variable& target : targets) sequence = std::max(sequence, target.node()->sequence);
  const int64_t horizon = sequence;
  const std::vector<Variable> outputs = run_again(v, state, inputs);

  Pass pass(&targets, recorded, recorded, horizon);
  pass.mark(outputs);
  for (int k = 0; k < v.num_outputs(); ++k) {
    if (v.has_cotangent(k)) pass.seed(outputs[static_cast<size_t>(k)], v.cotangent(k));
  }
  pass.run();
  for (size_t t = 0; t < targets.size(); ++t) v.set(positions[t], pass.result(t));
}

// The shape rule and the forward return what the first run found.
const OpDef checkpoint_op = {
    .name = "checkpoint",
    .input_names = {"values..."},
    .shape =
        [](ShapeArgs& s) {
          for (const Tensor& y : s.attrs<CheckpointAttrs>().state->outputs) s.output(y.shape(), y.dtype());
        },
    .forward =
        [](ForwardArgs& f) {
          std::vector<Tensor>& outputs = f.attrs<CheckpointAttrs>().state->outputs;
          for (size_t k = 0; k < outputs.size(); ++k) f.out(static_cast<int>(k)) = std::move(outputs[k]);
          outputs.clear();
        },
    .derivative = checkpoint_vjp,
    .saves = {.inputs = kAllBits},
    .is_view = true,
};

}  // namespace

std::vector<Variable> detail::checkpoint(CheckpointFunction f, const std::vector<Variable>& inputs) {
  Context& here = context();
  if (!here.grad_enabled) return f(inputs);

  auto state = std::make_shared<CheckpointState>(CheckpointState{.function = std::move(f), .given = inputs.size()});
  std::vector<Variable> stand_ins;
  for (const Variable& x : inputs) {
    if (x.requires_grad()) here.sequence = std::max(here.sequence, x.node()->sequence);
    stand_ins.push_back(x.requires_grad() ? leaf(x.value()) : x);
  }
  std::vector<Variable> all = inputs;
  const int64_t horizon = here.sequence;
  TensorsRead read(horizon);
  {
    std::vector<Variable> outputs;
    {
      RandomTape::Record record(state->tape);
      outputs = state->function(stand_ins);
    }
    state->captured = CapturedValues(horizon, stand_ins).of(outputs);
    for (const Variable& y : outputs) state->outputs.push_back(y.value());
  }
  state->read = read.take();
  all.insert(all.end(), state->captured.begin(), state->captured.end());
  std::vector<const Variable*> pointers;
  pointers.reserve(all.size());
  for (const Variable& x : all) pointers.push_back(&x);
  std::vector<Variable> results(state->outputs.size());
  apply_into(checkpoint_op, CheckpointAttrs{state}, pointers, results);
  return results;
}

}  // namespace gradus

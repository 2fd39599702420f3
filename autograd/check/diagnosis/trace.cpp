// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/diagnosis/trace.hpp>

#include <algorithm>
#include <bit>

#include <gradus/autograd/check/diagnosis/provenance.hpp>
#include <gradus/autograd/check/differences/differences.hpp>
#include <gradus/autograd/engine/context.hpp>

namespace gradus::detail {
namespace {

constexpr size_t kMostOps = 8000;  // with more ops no steps are searched: the search takes quadratic time

class Recorder {
 public:
  explicit Recorder(std::vector<AppliedOp>& ops)
      : ops_(ops), observer_{call, this}, previous_(context().apply_observer) {
    context().apply_observer = &observer_;
  }
  ~Recorder() { context().apply_observer = previous_; }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

 private:
  static void call(void* state, const OpDef& op, const Attrs& attrs, const Variable* const* inputs, size_t num_inputs,
                   const Variable* outputs, size_t num_outputs) {
    AppliedOp applied{&op, attrs, {}, {outputs, outputs + num_outputs}, scope_path()};
    for (size_t i = 0; i < num_inputs; ++i) {
      applied.inputs.push_back(*inputs[i]);
      applied.input_marks.push_back(mark_of(*inputs[i]));
    }
    for (size_t k = 0; k < num_outputs; ++k) applied.output_marks.push_back(mark_of(outputs[k]));
    applied.recorded = std::any_of(outputs, outputs + num_outputs, [](const Variable& y) { return y.requires_grad(); });
    static_cast<Recorder*>(state)->ops_.push_back(std::move(applied));
  }

  std::vector<AppliedOp>& ops_;
  ApplyObserver observer_;
  const ApplyObserver* previous_;
};

const void* place_of(const Variable& value) { return value.defined() ? value.value().raw_data() : nullptr; }

}  // namespace

uint64_t mark_of(const Variable& value) {
  if (!value.defined() || !is_floating(value.dtype())) return 0;
  uint64_t mark = 14695981039346656037U;  // FNV-1a
  for (const double number : elements(value.value())) mark = (mark ^ std::bit_cast<uint64_t>(number)) * 1099511628211U;
  return mark;
}

AppliedOps record_ops(const FunctionRef& f, const std::vector<Tensor>& values) {
  const EnableGrad on;
  AppliedOps applied;
  for (const Tensor& value : values) {
    applied.leaves.push_back(leaf(value));
    applied.leaf_marks.push_back(mark_of(applied.leaves.back()));
  }
  const Recorder recorder(applied.ops);
  applied.outputs = f(applied.leaves);
  return applied;
}

Trace::Trace(AppliedOps applied_ops)
    : leaves_(std::move(applied_ops.leaves)),
      leaf_marks_(std::move(applied_ops.leaf_marks)),
      ops_(std::move(applied_ops.ops)),
      outputs_(std::move(applied_ops.outputs)) {
  Provenance provenance(leaves_, leaf_marks_);
  for (size_t n = 0; n < ops_.size(); ++n) {
    AppliedOp& applied = ops_[n];
    for (size_t i = 0; i < applied.inputs.size(); ++i) {
      const bool auxiliary = in_mask(applied.op->auxiliary_inputs, static_cast<int>(i));
      applied.origins.push_back(auxiliary ? Origin() : provenance.of(applied.inputs[i], applied.input_marks[i]));
      // A recorded value that was read while recording was off.
      if (!applied.recorded && applied.inputs[i].requires_grad()) applied.origins.back().detached = true;
    }
    provenance.wrote(static_cast<int64_t>(n), applied);
  }
  for (const Variable& output : outputs_) output_origins_.push_back(provenance.of(output, mark_of(output)));
}

std::vector<bool> Trace::upstream_of(int64_t n) const {
  std::vector<bool> seen(ops_.size(), false);
  seen[static_cast<size_t>(n)] = true;
  for (auto m = static_cast<size_t>(n) + 1; m-- > 0;) {
    if (!seen[m]) continue;
    for (const Origin& origin : ops_[m].origins) {
      if (origin.op >= 0) seen[static_cast<size_t>(origin.op)] = true;
    }
  }
  return seen;
}

// For each op of a group, the length of the longest chain of others in the group that it depends on.
Trace::Numbers Trace::depths_of(const Numbers& group) const {
  Numbers depths;
  for (size_t j = 0; j < group.size(); ++j) {
    const std::vector<bool> before = upstream_of(group[j]);
    int64_t depth = 0;
    for (size_t i = 0; i < j; ++i) {
      if (before[static_cast<size_t>(group[i])]) depth = std::max(depth, depths[i] + 1);
    }
    depths.push_back(depth);
  }
  return depths;
}

// The step, from the ops that read the same bytes: the weights are the same in every step.
int64_t Trace::own_step(int64_t n) const {
  const AppliedOp& here = ops_[static_cast<size_t>(n)];
  for (size_t i = 0; i < here.inputs.size(); ++i) {
    Numbers group;
    for (size_t m = 0; m < ops_.size(); ++m) {
      const AppliedOp& other = ops_[m];
      const bool alike = other.op == here.op && other.path == here.path && i < other.inputs.size();
      if (alike && place_of(other.inputs[i]) != nullptr && place_of(other.inputs[i]) == place_of(here.inputs[i])) {
        group.push_back(static_cast<int64_t>(m));
      }
    }
    if (group.size() < 2) continue;
    const Numbers depths = depths_of(group);
    if (*std::max_element(depths.begin(), depths.end()) == 0) continue;
    return depths[static_cast<size_t>(std::find(group.begin(), group.end(), n) - group.begin())];
  }
  return -1;
}

// The step, from the ops of the same shapes in the same module.
int64_t Trace::chained_step(int64_t n) const {
  const AppliedOp& here = ops_[static_cast<size_t>(n)];
  const auto same_shapes = [&](const AppliedOp& other) {
    return std::equal(here.inputs.begin(), here.inputs.end(), other.inputs.begin(), other.inputs.end(),
                      [](const Variable& a, const Variable& b) {
                        return a.defined() == b.defined() && (!a.defined() || a.shape() == b.shape());
                      });
  };
  Numbers group;
  for (size_t m = 0; m < ops_.size(); ++m) {
    const AppliedOp& other = ops_[m];
    if (other.op == here.op && other.path == here.path && same_shapes(other)) group.push_back(static_cast<int64_t>(m));
  }
  const Numbers depths = depths_of(group);
  if (group.size() < 2 || *std::max_element(depths.begin(), depths.end()) == 0) return -1;
  return depths[static_cast<size_t>(std::find(group.begin(), group.end(), n) - group.begin())];
}

int64_t Trace::step_of(int64_t n) const {
  if (ops_.size() > kMostOps) return -1;
  const std::string& path = ops_[static_cast<size_t>(n)].path;
  if (const int64_t own = own_step(n); own >= 0) return own;
  const std::vector<bool> before = upstream_of(n);
  for (int64_t m = n - 1; m >= 0; --m) {
    if (!before[static_cast<size_t>(m)] || ops_[static_cast<size_t>(m)].path != path) continue;
    if (const int64_t step = own_step(m); step >= 0) return step;
  }
  for (int64_t m = n + 1; m < static_cast<int64_t>(ops_.size()); ++m) {
    if (ops_[static_cast<size_t>(m)].path != path || !upstream_of(m)[static_cast<size_t>(n)]) continue;
    if (const int64_t step = own_step(m); step >= 0) return step;
  }
  return chained_step(n);
}

// The ops that some output depends on.
std::vector<bool> Trace::live() const {
  std::vector<bool> result(ops_.size(), false);
  for (const Origin& origin : output_origins_) {
    if (origin.op < 0) continue;
    const std::vector<bool> before = upstream_of(origin.op);
    for (size_t n = 0; n < before.size(); ++n) result[n] = result[n] || before[n];
  }
  return result;
}

// For each op, the leaves whose derivative passes through it.
std::vector<std::vector<bool>> Trace::reached_by_leaves() const {
  const size_t num_leaves = leaves_.size();
  std::vector<std::vector<bool>> reached(ops_.size(), std::vector<bool>(num_leaves, false));
  for (size_t n = 0; n < ops_.size(); ++n) {
    for (const Origin& origin : ops_[n].origins) {
      if (origin.detached && origin.how != Detached::overwritten) continue;
      if (origin.leaf >= 0) reached[n][static_cast<size_t>(origin.leaf)] = true;
      if (origin.op < 0) continue;
      const std::vector<bool>& from = reached[static_cast<size_t>(origin.op)];
      for (size_t leaf = 0; leaf < num_leaves; ++leaf) reached[n][leaf] = reached[n][leaf] || from[leaf];
    }
  }
  return reached;
}

DetachedValue Trace::value_of(const Origin& origin, const std::vector<NamedInput>& inputs) const {
  DetachedValue value{.how = origin.how, .source_position = origin.op};
  if (origin.op >= 0) {
    value.source = ops_[static_cast<size_t>(origin.op)].op->name;
    value.source_path = ops_[static_cast<size_t>(origin.op)].path;
  } else {
    value.source = inputs[static_cast<size_t>(origin.leaf)].name;
  }
  return value;
}

std::vector<DetachedValue> Trace::detached(const std::vector<size_t>& leaves,
                                           const std::vector<NamedInput>& inputs) const {
  const std::vector<bool> used = live();
  const auto reached = reached_by_leaves();
  const auto is_lost = [&](const Origin& origin) {
    return origin.detached && std::any_of(leaves.begin(), leaves.end(), [&](size_t leaf) {
             return origin.op >= 0 ? reached[static_cast<size_t>(origin.op)][leaf]
                                   : origin.leaf == static_cast<int64_t>(leaf);
           });
  };
  std::vector<DetachedValue> found;
  for (size_t n = 0; n < ops_.size(); ++n) {
    const AppliedOp& reader = ops_[n];
    if (!used[n] || reader.op->derivative.is_discrete()) continue;
    for (size_t i = 0; i < reader.origins.size(); ++i) {
      if (!is_lost(reader.origins[i])) continue;
      DetachedValue value = value_of(reader.origins[i], inputs);
      value.op = reader.op->name;
      value.path = reader.path;
      value.input = input_name(*reader.op, i);
      value.position = static_cast<int64_t>(n);
      value.step = step_of(value.position);
      found.push_back(std::move(value));
    }
  }
  for (size_t k = 0; k < output_origins_.size(); ++k) {
    if (!is_lost(output_origins_[k])) continue;
    found.push_back(value_of(output_origins_[k], inputs));
    found.back().op = join("output ", k);
    found.back().position = static_cast<int64_t>(ops_.size());
  }
  // Equal numbers are the weakest evidence, so such values come last.
  std::stable_partition(found.begin(), found.end(), [](const auto& value) { return value.how != Detached::copied; });
  return found;
}

}  // namespace gradus::detail

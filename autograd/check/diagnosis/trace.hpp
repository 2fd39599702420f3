// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/op.hpp>

namespace gradus::detail {

/// Where an input of an applied op came from: an earlier op, or an input of the function. It is a constant when both
/// are unset.
struct Origin {
  int64_t op = -1;
  int64_t leaf = -1;
  /// The value was recorded, but no derivative flows back through it.
  bool detached = false;
  Detached how = Detached::constant;
};

/// One application of an op, recorded or not.
struct AppliedOp {
  const OpDef* op;
  Attrs attrs;
  std::vector<Variable> inputs;
  std::vector<Variable> outputs;
  std::string path;
  bool recorded = false;
  /// The hashes of the numbers that each input and each output held when the op ran.
  std::vector<uint64_t> input_marks = {};
  std::vector<uint64_t> output_marks = {};
  std::vector<Origin> origins = {};
};

/// A hash of the elements; 0 when the value is undefined or not floating.
uint64_t mark_of(const Variable& value);

/// All ops that f applied, in forward order. Keeps all their values alive, so that each memory address has one owner.
struct AppliedOps {
  std::vector<Variable> leaves;
  std::vector<uint64_t> leaf_marks;
  std::vector<AppliedOp> ops;
  std::vector<Variable> outputs;
};
AppliedOps record_ops(const FunctionRef& f, const std::vector<Tensor>& values);

/// Knows which op wrote each value that an op read: from the node, or for a constant from its memory address.
class Trace {
 public:
  explicit Trace(AppliedOps applied);

  /// The step of the recurrence that op n is in, from 0: the number of applications of the same op to the same weights
  /// that it depends on. -1 when there is no recurrence.
  int64_t step_of(int64_t n) const;
  /// Ops that an output depends on and that read, as a constant, a value that depends on an input in `leaves`.
  std::vector<DetachedValue> detached(const std::vector<size_t>& leaves, const std::vector<NamedInput>& inputs) const;

 private:
  using Numbers = std::vector<int64_t>;
  Numbers depths_of(const Numbers& group) const;
  int64_t own_step(int64_t n) const;
  int64_t chained_step(int64_t n) const;
  std::vector<bool> upstream_of(int64_t n) const;
  std::vector<bool> live() const;
  std::vector<std::vector<bool>> reached_by_leaves() const;
  DetachedValue value_of(const Origin& origin, const std::vector<NamedInput>& inputs) const;

  std::vector<Variable> leaves_;
  std::vector<uint64_t> leaf_marks_;
  std::vector<AppliedOp> ops_;
  std::vector<Variable> outputs_;
  std::vector<Origin> output_origins_;
};

}  // namespace gradus::detail

// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/op.hpp>

namespace gradus::detail {

/// Where an input of an applied op came from: an op that ran before, or an input of the function; neither: a constant.
struct Origin {
  int64_t op = -1;
  int64_t leaf = -1;
  /// The value was recorded, but its derivative does not come through.
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
  /// Of the numbers that each input and each output held when the op ran.
  std::vector<uint64_t> input_marks = {};
  std::vector<uint64_t> output_marks = {};
  std::vector<Origin> origins = {};
};

/// A hash of the elements; 0 of what is undefined or not floating.
uint64_t mark_of(const Variable& value);

/// All ops that f applied, in forward order. While this lives, nothing of it is freed: a place in memory has one owner.
struct AppliedOps {
  std::vector<Variable> leaves;
  std::vector<uint64_t> leaf_marks;
  std::vector<AppliedOp> ops;
  std::vector<Variable> outputs;
};
AppliedOps record_ops(const FunctionRef& f, const std::vector<Tensor>& values);

/// Who wrote what each op read: known by the node or, of what is read as a constant, by its place in memory.
class Trace {
 public:
  explicit Trace(AppliedOps applied);

  /// The step of the recurrence that op n is in, from 0: how many applications of the same op to the same weights it
  /// depends on. -1: there are none.
  int64_t step_of(int64_t n) const;
  /// Ops that read, as a constant, what one of the inputs named by `leaves` reached, and on which an output depends.
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

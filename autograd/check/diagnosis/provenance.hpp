// SPDX-License-Identifier: MIT
#pragma once

#include <map>

#include <gradus/autograd/check/diagnosis/trace.hpp>

namespace gradus::detail {

/// Knows which op wrote a value, as far as the earlier ops are known.
class Provenance {
 public:
  Provenance(const std::vector<Variable>& leaves, const std::vector<uint64_t>& marks);
  /// Records the outputs of op n. A constant output counts only when some input of the op was not a constant.
  void wrote(int64_t n, const AppliedOp& op);
  /// Where `value` comes from. `mark` is the hash of the numbers that were read.
  Origin of(const Variable& value, uint64_t mark) const;

 private:
  struct Written {
    int64_t op;
    int64_t leaf;
    Variable value;
    uint64_t mark;
  };
  void add(const Written& written);
  const Written* by_node(const Variable& value) const;
  const Written* by_place(const Tensor& value) const;
  const Written* by_numbers(const Tensor& value) const;
  static Origin origin(const Written& written, const Variable& value, uint64_t mark);

  std::map<const void*, std::vector<Written>> by_storage_;
  std::map<const Node*, std::vector<Written>> by_node_;
};

}  // namespace gradus::detail

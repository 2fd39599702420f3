// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include <gradus/tensor/shape.hpp>

namespace gradus {

/// Walks up to four layouts of one shape together, in as few and as long runs as possible. Axes of size 1 are dropped,
/// axes are ordered by the strides of the first operand (usually the output), and neighbouring axes are fused when
/// every operand allows it. The last remaining axis is the run.
class StridedLoop {
 public:
  static constexpr int kMaxOperands = 4;

  /// The shapes must be equal; the caller has checked or expanded them.
  explicit StridedLoop(std::initializer_list<const Layout*> operands);

  int64_t run_length() const noexcept { return numel_ == 0 ? 0 : sizes_[rank_ - 1]; }
  int64_t run_stride(int operand) const noexcept { return strides_[operand][rank_ - 1]; }
  /// The number of runs.
  int64_t run_count() const noexcept { return numel_ == 0 ? 0 : numel_ / sizes_[rank_ - 1]; }

  /// Calls body(offsets) for the runs [begin, end). offsets[k] is the start of the run in operand k, in elements.
  template <class Body>
  void run(int64_t begin, int64_t end, Body&& body) const {
    if (begin >= end) return;
    int64_t index[kMaxRank];
    int64_t offsets[kMaxOperands];
    start(begin, index, offsets);
    for (int64_t at = begin;;) {
      body(static_cast<const int64_t*>(offsets));
      if (++at == end) return;
      step(index, offsets);
    }
  }
  template <class Body>
  void run(Body&& body) const {
    run(0, run_count(), body);
  }

 private:
  void start(int64_t run, int64_t* index, int64_t* offsets) const noexcept;
  void step(int64_t* index, int64_t* offsets) const noexcept {
    for (int axis = rank_ - 2; axis >= 0; --axis) {
      for (int k = 0; k < operands_; ++k) offsets[k] += strides_[k][axis];
      if (++index[axis] < sizes_[axis]) return;
      for (int k = 0; k < operands_; ++k) offsets[k] -= strides_[k][axis] * sizes_[axis];
      index[axis] = 0;
    }
  }

  int rank_ = 0;
  int operands_ = 0;
  int64_t numel_ = 0;
  int64_t sizes_[kMaxRank];
  int64_t strides_[kMaxOperands][kMaxRank];
  int64_t offsets_[kMaxOperands];
};

}  // namespace gradus

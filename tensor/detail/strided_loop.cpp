// SPDX-License-Identifier: MIT
#include <gradus/tensor/detail/strided_loop.hpp>

#include <gradus/tensor/error.hpp>

namespace gradus {

StridedLoop::StridedLoop(std::initializer_list<const Layout*> operands) {
  GRADUS_ASSERT(operands.size() >= 1 && operands.size() <= kMaxOperands);
  const Layout* const* layouts = operands.begin();
  const Shape& shape = layouts[0]->shape();
  operands_ = static_cast<int>(operands.size());
  numel_ = shape.numel();
  for (int k = 0; k < operands_; ++k) offsets_[k] = layouts[k]->offset();

  int order[kMaxRank];
  int kept = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 1) continue;
    int at = kept++;
    for (; at > 0 && layouts[0]->stride(order[at - 1]) < layouts[0]->stride(axis); --at) order[at] = order[at - 1];
    order[at] = axis;
  }
  for (int i = 0; i < kept; ++i) {
    const int axis = order[i];
    bool even = rank_ > 0;
    for (int k = 0; even && k < operands_; ++k) {
      even = strides_[k][rank_ - 1] == layouts[k]->stride(axis) * shape[axis];
    }
    if (even) {
      sizes_[rank_ - 1] *= shape[axis];
    } else {
      sizes_[rank_++] = shape[axis];
    }
    for (int k = 0; k < operands_; ++k) strides_[k][rank_ - 1] = layouts[k]->stride(axis);
  }
  if (rank_ == 0) {
    rank_ = 1;
    sizes_[0] = 1;
    for (int k = 0; k < operands_; ++k) strides_[k][0] = 1;
  }
}

void StridedLoop::start(int64_t run, int64_t* index, int64_t* offsets) const noexcept {
  for (int k = 0; k < operands_; ++k) offsets[k] = offsets_[k];
  for (int axis = rank_ - 2; axis >= 0; --axis) {
    index[axis] = run % sizes_[axis];
    run /= sizes_[axis];
    for (int k = 0; k < operands_; ++k) offsets[k] += index[axis] * strides_[k][axis];
  }
}

}  // namespace gradus

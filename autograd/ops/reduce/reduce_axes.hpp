// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/rules.hpp>

// Common parts of reductions. Inside an op each reduced axis is kept with size 1, so that the result broadcasts against
// the input; the public functions drop these axes.

namespace gradus {

struct ReduceAttrs {
  uint32_t axes;  // bit k: axis k is reduced
};

inline uint32_t all_axes(const Variable& x) { return (1U << x.rank()) - 1U; }

/// The named axes as bits; all axes for an empty list.
uint32_t axes_mask(const Variable& x, const Axes& axes, const char* op);

/// The shape with size 1 for each axis of the mask.
Shape reduced_shape(const Shape& shape, uint32_t axes);

/// The dtype of a sum or product: bools are added in i64.
inline DType dtype_of_sum(DType dtype) { return dtype == DType::boolean ? DType::i64 : dtype; }

/// The number of elements of x for each element of the result.
double reduced_count(const Shape& shape, uint32_t axes);

/// x without the axes of the mask, which have size 1.
Variable drop_axes(const Variable& x, uint32_t axes);

/// Applies an op with ReduceAttrs to one input.
Variable apply_reduction(const OpDef& op, const Variable& x, uint32_t axes, bool keepdim);

/// x minus its mean over the axes of the mask. The mean is as accurate as if it had not been rounded.
Variable center(const Variable& x, uint32_t axes);

namespace rules {

inline void require_axes(const ShapeArgs& s, uint32_t axes) {
  GRADUS_CHECK(axes >> s.shape(0).rank() == 0, "[", s.op_name(), "] an axis is out of range of ", s.describe(0));
}

/// The shape rule of a reduction whose attributes hold `axes`.
inline void reduction(ShapeArgs& s, uint32_t axes, DType dtype) {
  require_axes(s, axes);
  s.output(reduced_shape(s.shape(0), axes), dtype);
}

/// Throws when an element of the output would be reduced from no elements.
inline void require_elements(const ShapeArgs& s, uint32_t axes, const char* what) {
  GRADUS_CHECK(s.shape(0).numel() > 0 || reduced_shape(s.shape(0), axes).numel() == 0, "[", s.op_name(), "] ", what,
               " of no elements: expected no reduced axis of size 0, got ", s.describe(0));
}

}  // namespace rules
}  // namespace gradus

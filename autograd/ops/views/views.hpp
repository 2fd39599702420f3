// SPDX-License-Identifier: MIT
// Changes of shape and order: reshape, transpose, slice, concat, flip, roll.
#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include <gradus/autograd/variable.hpp>

// Functions that rearrange elements. Any dtype; the results share the bytes of x where strides allow it. Axes may be
// negative (-1 is the last). Each throws Error when an axis or a range is out of bounds.

namespace gradus {

/// Stretches axes of size 1 and adds new axes in front: NumPy's broadcast_to. Copies nothing.
GRADUS_API Variable expand(const Variable& x, const Shape& shape);
/// The same elements in row-major order; copies only when strides do not allow a view. In a list or vector of sizes,
/// one may be -1: it is computed from the others.
GRADUS_API Variable reshape(const Variable& x, const Shape& shape);
GRADUS_API Variable reshape(const Variable& x, std::span<const int64_t> sizes);
inline Variable reshape(const Variable& x, std::initializer_list<int64_t> sizes) {
  return reshape(x, std::span<const int64_t>(sizes.begin(), sizes.size()));
}
/// Drops these axes, whose size must be 1; with `{}`, or without axes, drops all axes of size 1.
GRADUS_API Variable squeeze(const Variable& x, const Axes& axes = {});
/// Adds a new axis of size 1, which is `axis` of the result.
GRADUS_API Variable unsqueeze(const Variable& x, int64_t axis);
/// Axis axes[i] of x becomes axis i; each axis must be named once.
GRADUS_API Variable permute(const Variable& x, const Axes& axes);
GRADUS_API Variable transpose(const Variable& x, int64_t a, int64_t b);
/// Elements start, start + step, ... before stop of one axis, step >= 1. A negative bound counts from the end, kToEnd
/// is the end: slice(x, 0, -3) has the last three. Throws when a bound is out of range, or start > stop.
GRADUS_API Variable slice(const Variable& x, int64_t axis, int64_t start, int64_t stop = kToEnd, int64_t step = 1);
/// `length` elements of one axis from `start`, which may be negative.
GRADUS_API Variable narrow(const Variable& x, int64_t axis, int64_t start, int64_t length);
/// One index of an axis; the axis is dropped.
GRADUS_API Variable select(const Variable& x, int64_t axis, int64_t index);
/// All slices of an axis: x [.., T, ..] as T Variables [.., ..]. It is one op, so that its backward pass over T steps
/// takes a time proportional to T.
[[nodiscard]] GRADUS_API std::vector<Variable> unbind(const Variable& x, int64_t axis = 0);
/// Consecutive pieces of one axis with these sizes, which add up to the size of the axis. It is one op, like unbind.
[[nodiscard]] GRADUS_API std::vector<Variable> split(const Variable& x, int64_t axis,
                                                     const std::vector<int64_t>& sizes);

// These options have two numbers whose order differs between libraries, so they are named.
struct SplitEveryOptions {
  int64_t axis = -1;
  Required<int64_t> size;  ///< >= 1
};
/// Pieces of `size` elements; the last one may be shorter. An empty axis gives no pieces.
[[nodiscard]] GRADUS_API std::vector<Variable> split_every(const Variable& x, const SplitEveryOptions& options);

struct ChunkOptions {
  int64_t axis = -1;
  Required<int64_t> count;  ///< >= 1
};
/// `count` pieces whose sizes differ by at most one, longer ones first (NumPy's array_split).
[[nodiscard]] GRADUS_API std::vector<Variable> chunk(const Variable& x, const ChunkOptions& options);

struct DiagonalOptions {
  /// Elements (i, i + offset).
  int64_t offset = 0;
};

/// The diagonal of axes a and b (different ones) as a new last axis: x [.., M, N] with axes -2, -1 -> [.., K]. Empty
/// when the offset is outside the matrix.
GRADUS_API Variable diagonal(const Variable& x, int64_t a, int64_t b, DiagonalOptions options = {});
/// The vjp of slice: zeros of `shape` with g in the place of the slice.
GRADUS_API Variable slice_backward(const Variable& g, const Shape& shape, int64_t axis, int64_t start, int64_t step);

/// Joins the parts along an existing axis; all other axes must have equal sizes.
GRADUS_API Variable concat(const std::vector<Variable>& parts, int64_t axis = 0);
/// Joins the parts along a new axis; shapes must be equal.
GRADUS_API Variable stack(const std::vector<Variable>& parts, int64_t axis = 0);

}  // namespace gradus

// Functions that copy elements to other places. Any dtype; axes may be negative. Each throws Error when an axis is out
// of range, or when the result would have more elements than 64 bits can address.

namespace gradus {

/// The given axes (`{}`, or none given: all) from their last element to their first.
GRADUS_API Variable flip(const Variable& x, const Axes& axes = {});

struct RollOptions {
  int64_t axis = -1;
  Required<int64_t> shift;
};
/// Moves each element `shift` places forward along an axis (negative: backward); elements at the end come round.
GRADUS_API Variable roll(const Variable& x, const RollOptions& options);

/// How many elements come before and after those of one axis; >= 0.
struct Padding {
  int64_t before = 0;
  int64_t after = 0;
};

struct PadOptions {
  double value = 0.0;
};

/// x with `value` around it; one Padding for each axis.
GRADUS_API Variable pad(const Variable& x, const std::vector<Padding>& paddings, PadOptions options = {});

/// x as a whole repeated counts[k] >= 0 times along axis k; one count for each axis.
GRADUS_API Variable repeat(const Variable& x, const std::vector<int64_t>& counts);
/// NumPy's tile: like repeat, but missing axes of size 1 are added in front of x, or missing counts of 1 in front of
/// `counts`.
GRADUS_API Variable tile(const Variable& x, const std::vector<int64_t>& counts);

}  // namespace gradus

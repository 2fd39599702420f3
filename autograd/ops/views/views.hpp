// SPDX-License-Identifier: MIT
// Changes of shape and order: reshape, transpose, slice, concat, flip, roll.
#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include <gradus/autograd/variable.hpp>

// Functions that rearrange elements. Any dtype; the results share the bytes of x where strides can say it. Axes may be
// negative (-1 is the last). Each throws Error when an axis or a range is out of bounds.

namespace gradus {

/// Axes of size 1 stretched, new axes in front: NumPy's broadcast_to. Moves no bytes.
GRADUS_API Variable expand(const Variable& x, const Shape& shape);
/// The same elements in row-major order; copies only when strides cannot say it. Of a list or vector of sizes, one may
/// be -1: it is what the others leave.
GRADUS_API Variable reshape(const Variable& x, const Shape& shape);
GRADUS_API Variable reshape(const Variable& x, std::span<const int64_t> sizes);
inline Variable reshape(const Variable& x, std::initializer_list<int64_t> sizes) {
  return reshape(x, std::span<const int64_t>(sizes.begin(), sizes.size()));
}
/// Without these axes, whose size must be 1; `{}`, or none given: without all axes of size 1.
GRADUS_API Variable squeeze(const Variable& x, const Axes& axes = {});
/// With a new axis of size 1, which is `axis` of the result.
GRADUS_API Variable unsqueeze(const Variable& x, int64_t axis);
/// Axis axes[i] of x becomes axis i; each axis is named once.
GRADUS_API Variable permute(const Variable& x, const Axes& axes);
GRADUS_API Variable transpose(const Variable& x, int64_t a, int64_t b);
/// Elements start, start + step, ... before stop of one axis, step >= 1. A negative bound counts from the end, kToEnd
/// is the end: slice(x, 0, -3) has the last three. Throws when a bound is out of range, or start > stop.
GRADUS_API Variable slice(const Variable& x, int64_t axis, int64_t start, int64_t stop = kToEnd, int64_t step = 1);
/// `length` elements of one axis from `start`, which may be negative.
GRADUS_API Variable narrow(const Variable& x, int64_t axis, int64_t start, int64_t length);
/// One index of an axis; the axis goes.
GRADUS_API Variable select(const Variable& x, int64_t axis, int64_t index);
/// All of them: x [.., T, ..] as T Variables [.., ..]. One op, so that T steps over a sequence cost T steps back.
[[nodiscard]] GRADUS_API std::vector<Variable> unbind(const Variable& x, int64_t axis = 0);
/// Consecutive pieces of one axis, of these sizes; they sum up to that of the axis. One op, as unbind.
[[nodiscard]] GRADUS_API std::vector<Variable> split(const Variable& x, int64_t axis,
                                                     const std::vector<int64_t>& sizes);

// Two numbers that others take in another order have names here.
struct SplitEveryOptions {
  int64_t axis = -1;
  Required<int64_t> size;  ///< >= 1
};
/// Pieces of `size` elements, the last possibly shorter; none of an empty axis.
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
/// when the offset leads out of the matrix.
GRADUS_API Variable diagonal(const Variable& x, int64_t a, int64_t b, DiagonalOptions options = {});
/// The vjp of slice: zeros of `shape` with g in the place of the slice.
GRADUS_API Variable slice_backward(const Variable& g, const Shape& shape, int64_t axis, int64_t start, int64_t step);

/// Along an existing axis; equal sizes on all others.
GRADUS_API Variable concat(const std::vector<Variable>& parts, int64_t axis = 0);
/// Along a new axis; equal shapes.
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
/// Each element `shift` places further along an axis (negative: back), round the end.
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

/// The whole of x one after the other, counts[k] >= 0 times along axis k; one count for each axis.
GRADUS_API Variable repeat(const Variable& x, const std::vector<int64_t>& counts);
/// NumPy's tile: repeat, with as many axes of size 1 in front of x, or counts of 1 in front of these, as are missing.
GRADUS_API Variable tile(const Variable& x, const std::vector<int64_t>& counts);

}  // namespace gradus

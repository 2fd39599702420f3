// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/api.hpp>
#include <gradus/tensor/shape.hpp>

namespace gradus {

/// Where the elements of a tensor lie in its storage: element (i0, i1, ...) stands at offset + sum(i_k * strides[k]).
/// Strides and offset count elements. Pure values: every view is one of these functions and moves no bytes.
class [[nodiscard]] GRADUS_API Layout {
 public:
  constexpr Layout() noexcept : strides_{} {}
  /// Dense, row-major, offset 0.
  explicit Layout(const Shape& shape) noexcept : shape_(shape) {
    int64_t stride = 1;
    for (int i = shape_.rank() - 1; i >= 0; --i) {
      strides_[i] = stride;
      stride *= shape_[i];
    }
  }
  Layout(const Layout& other) noexcept : shape_(other.shape_), offset_(other.offset_) { copy_strides(other); }
  Layout& operator=(const Layout& other) noexcept {  // NOLINT(bugprone-unhandled-self-assignment): loads come first
    shape_ = other.shape_;
    offset_ = other.offset_;
    copy_strides(other);
    return *this;
  }

  const Shape& shape() const noexcept { return shape_; }
  int rank() const noexcept { return shape_.rank(); }
  int64_t stride(int axis) const noexcept { return strides_[axis]; }
  int64_t offset() const noexcept { return offset_; }

  /// True iff the elements, in row-major order, are adjacent: stride[k] == product of the sizes after k on every axis
  /// of size > 1, or the layout is empty.
  bool is_contiguous() const noexcept;
  /// True iff two different indices address one element (a stride of 0 on an axis of size > 1: an expanded view).
  bool is_expanded() const noexcept;

  Layout permute(std::span<const int> axes) const;
  Layout transpose(int64_t a, int64_t b) const;
  /// Elements start, start + step, ... before stop on one axis; step > 0, 0 <= start <= stop <= size.
  Layout slice(int64_t axis, int64_t start, int64_t stop, int64_t step) const;
  /// One index of an axis; the axis goes.
  Layout select(int64_t axis, int64_t index) const;
  /// Axes of size 1 stretched by stride 0, new axes in front: NumPy's broadcast_to.
  Layout expand(const Shape& shape) const;
  Layout squeeze(int64_t axis) const;
  Layout unsqueeze(int64_t axis) const;
  /// The diagonal of axes a and b as a new last axis.
  Layout diagonal(int64_t a, int64_t b) const;
  /// The same elements in row-major order under another shape, when strides can say so; false when a copy is needed.
  bool reshape(const Shape& shape, Layout& out) const;

 private:
  void copy_strides(const Layout& other) noexcept { detail::copy_by_fours(strides_, other.strides_, rank()); }

  Shape shape_;
  int64_t strides_[kMaxRank];
  int64_t offset_ = 0;
};

}  // namespace gradus

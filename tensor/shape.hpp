// SPDX-License-Identifier: MIT
// Shape, and Layout: where the elements of a view are.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>

#include <gradus/tensor/api.hpp>

namespace gradus {

inline constexpr int kMaxRank = 8;

namespace detail {

/// Copies the first `count` <= kMaxRank numbers and the following ones up to four or eight. Loads everything before it
/// stores. It is not memmove, because the call would cost more than the copy.
inline void copy_by_fours(int64_t* to, const int64_t* from, int count) noexcept {
  const int64_t n0 = from[0], n1 = from[1], n2 = from[2], n3 = from[3];
  to[0] = n0;
  to[1] = n1;
  to[2] = n2;
  to[3] = n3;
  if (count <= 4) return;
  for (int i = 4; i < kMaxRank; ++i) to[i] = from[i];
}

}  // namespace detail

/// The sizes of the axes of a tensor, outermost first: at most kMaxRank, each >= 0, with a product within int64. Rank 0
/// is a scalar (one element). Throws when a size is negative, the rank is too large or the product overflows.
class [[nodiscard]] GRADUS_API Shape {
 public:
  constexpr Shape() noexcept : sizes_{} {}
  Shape(std::initializer_list<int64_t> sizes);
  explicit Shape(std::span<const int64_t> sizes);
  Shape(const Shape& other) noexcept : rank_(other.rank_) { copy_sizes(other); }  // NOLINT: sizes_ by copy_sizes
  Shape& operator=(const Shape& other) noexcept {  // NOLINT(bugprone-unhandled-self-assignment): loads come first
    rank_ = other.rank_;
    copy_sizes(other);
    return *this;
  }

  int rank() const noexcept { return rank_; }
  /// The size of an axis in [0, rank).
  int64_t operator[](int axis) const noexcept { return sizes_[axis]; }
  const int64_t* begin() const noexcept { return sizes_; }
  const int64_t* end() const noexcept { return sizes_ + rank_; }
  int64_t numel() const noexcept {
    int64_t count = 1;
    for (int i = 0; i < rank_; ++i) count *= sizes_[i];
    return count;
  }

  /// This shape with one axis replaced, removed or inserted.
  Shape with(int axis, int64_t size) const;
  Shape without(int axis) const;
  Shape inserted(int axis, int64_t size) const;
  /// The shape with axis from[i] as axis i; `from` is a permutation.
  Shape permuted(const int* from) const noexcept {
    Shape out;
    out.rank_ = rank_;
    for (int i = 0; i < rank_; ++i) out.sizes_[i] = sizes_[from[i]];
    return out;
  }
  /// The shape with two axes exchanged.
  Shape swapped(int a, int b) const noexcept {
    Shape out = *this;
    out.sizes_[a] = sizes_[b];
    out.sizes_[b] = sizes_[a];
    return out;
  }

  friend bool operator==(const Shape& a, const Shape& b) noexcept {
    if (a.rank_ != b.rank_) return false;
    if (a.rank_ > 4) return __builtin_memcmp(a.sizes_, b.sizes_, kMaxRank * sizeof(int64_t)) == 0;
    return ((a.sizes_[0] ^ b.sizes_[0]) | (a.sizes_[1] ^ b.sizes_[1]) | (a.sizes_[2] ^ b.sizes_[2]) |
            (a.sizes_[3] ^ b.sizes_[3])) == 0;
  }

 private:
  void copy_sizes(const Shape& other) noexcept { detail::copy_by_fours(sizes_, other.sizes_, rank_); }

  static_assert(kMaxRank == 8);
  int64_t sizes_[kMaxRank];  // zero beyond the rank, as far as copies go (4 or 8)
  int rank_ = 0;
};

/// "[3, 4]"; "[]" for a scalar.
GRADUS_API std::string to_string(const Shape& shape);

/// The common shape by NumPy's rules. Throws `[op] shapes do not broadcast: ...`.
GRADUS_API Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op);

/// Turns an axis that may be negative (-1 is the last) into one counted from the front. Throws when it is out of range.
GRADUS_API int normalize_axis(int64_t axis, int rank, const char* op);

/// The shape that `sizes` names for the elements of `from`; one size may be -1, which is then what the others leave.
/// Throws `[op] ...` when there is no such shape.
GRADUS_API Shape resolve_sizes(std::span<const int64_t> sizes, const Shape& from, const char* op);

/// As the end of a slice: the end of the axis.
inline constexpr int64_t kToEnd = INT64_MAX;

/// Elements start to stop (not included) of one axis, counted from the front.
struct AxisRange {
  int axis;
  int64_t start;
  int64_t stop;
};

/// From an axis and bounds that may be negative: these count from the end, as in Python. Unlike Python, a bound beyond
/// either end throws `[op] range out of bounds: ...`, and so does start > stop.
GRADUS_API AxisRange resolve_range(const Shape& shape, int64_t axis, int64_t start, int64_t stop, const char* op);

/// Which axes a function works on: one (`sum(x, 1)`), a braced list (`sum(x, {0, -1})`), or a vector or span that is
/// made at run time. Negative axes count from the end. `{}` names none; each function says what that means.
class [[nodiscard]] Axes {
 public:
  Axes() noexcept {}  // NOLINT(modernize-use-equals-default): `{}` would clear the whole array
  Axes(int64_t axis) noexcept : count_(1) { axes_[0] = axis; }  // NOLINT(google-explicit-constructor)
  Axes(std::initializer_list<int64_t> axes) noexcept { take(axes.begin(), axes.size()); }
  /// A vector, array or span of int or int64_t.
  template <class R>
  requires(std::is_convertible_v<const R&, std::span<const int>> ||
           std::is_convertible_v<const R&, std::span<const int64_t>>) Axes(const R& axes)
  noexcept {  // NOLINT(google-explicit-constructor)
    take(std::data(axes), std::size(axes));
  }
  /// `sum(x, true)` does not mean axis 1.
  template <class B>
  requires std::is_same_v<B, bool> Axes(B)
  = delete;

  bool empty() const noexcept { return count_ == 0; }
  size_t count() const noexcept { return count_; }
  /// Writes the axes, counted from the front, to `out`. Throws `[op] ...` when one is out of range or named twice.
  GRADUS_API void resolve(int rank, const char* op, int (&out)[kMaxRank]) const;
  /// The same as bits: bit k stands for axis k.
  GRADUS_API uint32_t mask(int rank, const char* op) const;

 private:
  template <class T>
  void take(const T* axes, size_t count) noexcept {
    count_ = count;
    for (size_t i = 0; i < count && i < kMaxRank; ++i) axes_[i] = axes[i];
  }

  size_t count_ = 0;  // of the axes given; those beyond kMaxRank are an error and are not kept
  int64_t axes_[kMaxRank];
};

/// The positions of a tensor's elements in its storage: element (i0, i1, ...) is at offset + sum(i_k * strides[k]).
/// Strides and offset count elements. A Layout is a plain value. Every view is one of these functions and moves no
/// bytes.
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

  /// True when the elements, in row-major order, are adjacent: stride[k] == product of the sizes after k on every axis
  /// of size > 1, or the layout is empty.
  bool is_contiguous() const noexcept;
  /// True when two different indices address one element (a stride of 0 on an axis of size > 1: an expanded view).
  bool is_expanded() const noexcept;

  Layout permute(std::span<const int> axes) const;
  Layout transpose(int64_t a, int64_t b) const;
  /// The elements start, start + step, ... before stop on one axis; step > 0, 0 <= start <= stop <= size.
  Layout slice(int64_t axis, int64_t start, int64_t stop, int64_t step) const;
  /// One index of an axis; the axis is removed.
  Layout select(int64_t axis, int64_t index) const;
  /// Stretches axes of size 1 with stride 0 and adds new axes in front, like NumPy's broadcast_to.
  Layout expand(const Shape& shape) const;
  Layout squeeze(int64_t axis) const;
  Layout unsqueeze(int64_t axis) const;
  /// The diagonal of axes a and b as a new last axis.
  Layout diagonal(int64_t a, int64_t b) const;
  /// The same elements in row-major order under another shape, when strides can express it. Returns false when a copy
  /// is needed.
  bool reshape(const Shape& shape, Layout& out) const;

 private:
  void copy_strides(const Layout& other) noexcept { detail::copy_by_fours(strides_, other.strides_, rank()); }

  Shape shape_;
  int64_t strides_[kMaxRank];
  int64_t offset_ = 0;
};

}  // namespace gradus

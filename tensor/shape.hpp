// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include <gradus/tensor/api.hpp>

namespace gradus {

inline constexpr int kMaxRank = 8;

/// The sizes of a tensor's axes, outermost first: at most kMaxRank of them, each >= 0, their product within int64.
/// Rank 0 is a scalar (one element). Throws when a size is negative, the rank too large or the product overflows.
class GRADUS_API Shape {
 public:
  constexpr Shape() noexcept : sizes_{} {}
  Shape(std::initializer_list<int64_t> sizes);
  explicit Shape(std::span<const int64_t> sizes);
  Shape(const Shape& other) noexcept : rank_(other.rank_) { copy_sizes(other); }  // NOLINT: sizes_ by copy_sizes
  Shape& operator=(const Shape& other) noexcept {  // NOLINT(bugprone-unhandled-self-assignment): memmove bears it
    rank_ = other.rank_;
    copy_sizes(other);
    return *this;
  }

  int rank() const noexcept { return rank_; }
  /// Size of an axis in [0, rank).
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

  friend bool operator==(const Shape& a, const Shape& b) noexcept {
    if (a.rank_ != b.rank_) return false;
    if (a.rank_ > 4) return __builtin_memcmp(a.sizes_, b.sizes_, kMaxRank * sizeof(int64_t)) == 0;
    return ((a.sizes_[0] ^ b.sizes_[0]) | (a.sizes_[1] ^ b.sizes_[1]) | (a.sizes_[2] ^ b.sizes_[2]) |
            (a.sizes_[3] ^ b.sizes_[3])) == 0;
  }

 private:
  // Whole vectors of four: a loop over the rank would become a call of memmove, which costs more than the copy.
  void copy_sizes(const Shape& other) noexcept {
    __builtin_memmove(sizes_, other.sizes_, 4 * sizeof(int64_t));
    if (rank_ > 4) __builtin_memmove(sizes_ + 4, other.sizes_ + 4, 4 * sizeof(int64_t));
  }

  static_assert(kMaxRank == 8);
  int64_t sizes_[kMaxRank];  // zero beyond the rank, as far as one copies (4 or 8)
  int rank_ = 0;
};

/// "[3, 4]"; "[]" for a scalar.
GRADUS_API std::string to_string(const Shape& shape);

/// The common shape by NumPy's rules. Throws `[op] shapes do not broadcast: ...`.
GRADUS_API Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op);

/// An axis counted from the front, from one that may be negative (-1 is the last). Throws when out of range.
GRADUS_API int normalize_axis(int64_t axis, int rank, const char* op);

}  // namespace gradus

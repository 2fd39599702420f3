// SPDX-License-Identifier: MIT
#include <gradus/tensor/shape.hpp>

#include <gradus/tensor/error.hpp>

namespace gradus {

Shape::Shape(std::initializer_list<int64_t> sizes) : Shape(std::span<const int64_t>(sizes.begin(), sizes.size())) {}

Shape::Shape(std::span<const int64_t> sizes) : sizes_{} {
  GRADUS_CHECK(sizes.size() <= kMaxRank, "[shape] rank too large: expected at most ", kMaxRank, " axes, got ",
               sizes.size());
  int64_t product = 1;
  bool overflow = false;
  for (int64_t size : sizes) {
    GRADUS_CHECK(size >= 0, "[shape] negative size: expected sizes >= 0, got ", size, " on axis ", rank_);
    sizes_[rank_++] = size;
    // An axis of size 0 makes the tensor empty, but the product of the other sizes must still fit.
    overflow = overflow || __builtin_mul_overflow(product, size == 0 ? 1 : size, &product);
  }
  // The widest dtype has eight bytes an element, and the byte count must fit as well.
  GRADUS_CHECK(!overflow && product <= INT64_MAX / 8, "[shape] too many elements for 64-bit addressing: ", *this);
}

Shape Shape::with(int axis, int64_t size) const {
  Shape out = *this;
  out.sizes_[axis] = size;
  return Shape(std::span<const int64_t>(out.begin(), out.end()));
}

Shape Shape::without(int axis) const {
  Shape out;
  for (int i = 0; i < rank_; ++i) {
    if (i != axis) out.sizes_[out.rank_++] = sizes_[i];
  }
  return out;
}

Shape Shape::inserted(int axis, int64_t size) const {
  GRADUS_CHECK(rank_ < kMaxRank, "[shape] rank too large: expected at most ", kMaxRank, " axes, got ", rank_ + 1);
  int64_t sizes[kMaxRank];
  for (int i = 0; i <= rank_; ++i) sizes[i] = i < axis ? sizes_[i] : i == axis ? size : sizes_[i - 1];
  return Shape(std::span<const int64_t>(sizes, static_cast<size_t>(rank_) + 1));
}

std::string to_string(const Shape& shape) {
  std::string out = "[";
  for (int i = 0; i < shape.rank(); ++i) {
    if (i > 0) out += ", ";
    out += std::to_string(shape[i]);
  }
  out += ']';
  return out;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op) {
  if (a == b) return a;
  const int rank = a.rank() > b.rank() ? a.rank() : b.rank();
  int64_t sizes[kMaxRank];
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank());
    const int ib = i - (rank - b.rank());
    const int64_t sa = ia < 0 ? 1 : a[ia];
    const int64_t sb = ib < 0 ? 1 : b[ib];
    GRADUS_CHECK(sa == sb || sa == 1 || sb == 1, "[", op, "] shapes do not broadcast: a is ", a, ", b is ", b);
    sizes[i] = sa == 1 ? sb : sa;
  }
  return Shape(std::span<const int64_t>(sizes, static_cast<size_t>(rank)));
}

int normalize_axis(int64_t axis, int rank, const char* op) {
  GRADUS_CHECK(rank > 0, "[", op, "] axis out of range: expected no axis, since the rank is 0, got ", axis);
  GRADUS_CHECK(axis >= -rank && axis < rank, "[", op, "] axis out of range: expected an axis in [", -rank, ", ",
               rank - 1, "], got ", axis);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

namespace {

std::string listed(std::span<const int64_t> sizes) {
  std::string out = "[";
  for (const int64_t size : sizes) out += (out.size() > 1 ? ", " : "") + std::to_string(size);
  return out + "]";
}

}  // namespace

Shape resolve_sizes(std::span<const int64_t> sizes, const Shape& from, const char* op) {
  GRADUS_CHECK(sizes.size() <= kMaxRank, "[", op, "] rank too large: expected at most ", kMaxRank, " axes, got ",
               sizes.size());
  int64_t full[kMaxRank];
  int64_t others = 1;
  int open = -1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    full[i] = sizes[i];
    GRADUS_CHECK(sizes[i] >= -1 && (sizes[i] >= 0 || open < 0), "[", op,
                 "] expected sizes >= 0, of which one may be -1 instead, got ", listed(sizes));
    if (sizes[i] < 0) {
      open = static_cast<int>(i);
    } else if (__builtin_mul_overflow(others, sizes[i], &others)) {
      others = INT64_MAX;  // more elements than there can be
    }
  }
  if (open >= 0) {
    GRADUS_CHECK(others > 0, "[", op, "] a size of -1 next to one of 0 could be any number: expected other sizes, got ",
                 listed(sizes));
    GRADUS_CHECK(from.numel() % others == 0, "[", op, "] element counts differ: input is ", from, " (", from.numel(),
                 " elements), asked for ", listed(sizes));
    full[open] = from.numel() / others;
  }
  return Shape(std::span<const int64_t>(full, sizes.size()));
}

AxisRange resolve_range(const Shape& shape, int64_t axis, int64_t start, int64_t stop, const char* op) {
  const int at = normalize_axis(axis, shape.rank(), op);
  const int64_t size = shape[at];
  const auto from_front = [size](int64_t bound) { return bound < 0 ? bound + size : bound; };
  const int64_t last = stop == kToEnd ? size : from_front(stop);
  const int64_t first = from_front(start);
  GRADUS_CHECK(0 <= first && first <= last && last <= size, "[", op,
               "] range out of bounds: expected start <= stop, both in [", -size, ", ", size, "], on axis ", at, " of ",
               shape, ", got [", start, ", ", stop, ")");
  return {at, first, last};
}

void Axes::resolve(int rank, const char* op, int (&out)[kMaxRank]) const {
  GRADUS_CHECK(count_ <= kMaxRank, "[", op, "] too many axes: expected at most ", rank, ", got ", count_);
  uint32_t seen = 0;
  for (size_t i = 0; i < count_; ++i) {
    out[i] = normalize_axis(axes_[i], rank, op);
    const uint32_t bit = 1U << out[i];
    GRADUS_CHECK((seen & bit) == 0, "[", op, "] axis ", axes_[i], " is named twice");
    seen |= bit;
  }
}

uint32_t Axes::mask(int rank, const char* op) const {
  int axes[kMaxRank];
  resolve(rank, op, axes);
  uint32_t mask = 0;
  for (size_t i = 0; i < count_; ++i) mask |= 1U << axes[i];
  return mask;
}

}  // namespace gradus

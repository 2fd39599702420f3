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

}  // namespace gradus

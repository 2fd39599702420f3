// SPDX-License-Identifier: MIT
#include <gradus/tensor/shape.hpp>

#include <gradus/tensor/error.hpp>

namespace gradus {

bool Layout::is_contiguous() const noexcept {
  int64_t expected = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    const int64_t size = shape_[i];
    if (size == 0) return true;
    if (size != 1 && strides_[i] != expected) return shape_.numel() == 0;
    expected *= size;
  }
  return true;
}

bool Layout::is_expanded() const noexcept {
  for (int i = 0; i < rank(); ++i) {
    if (strides_[i] == 0 && shape_[i] > 1) return shape_.numel() > 0;
  }
  return false;
}

Layout Layout::permute(std::span<const int> axes) const {
  GRADUS_CHECK(static_cast<int>(axes.size()) == rank(), "[permute] wrong number of axes: expected ", rank(), ", got ",
               axes.size());
  Layout out;
  int from[kMaxRank];
  bool seen[kMaxRank] = {};
  for (int i = 0; i < rank(); ++i) {
    from[i] = normalize_axis(axes[static_cast<size_t>(i)], rank(), "permute");
    GRADUS_CHECK(!seen[from[i]], "[permute] axis ", from[i], " is named twice");
    seen[from[i]] = true;
    out.strides_[i] = strides_[from[i]];
  }
  out.shape_ = shape_.permuted(from);
  out.offset_ = offset_;
  return out;
}

Layout Layout::transpose(int64_t a, int64_t b) const {
  const int from = normalize_axis(a, rank(), "transpose");
  const int to = normalize_axis(b, rank(), "transpose");
  Layout out = *this;
  out.shape_ = shape_.swapped(from, to);
  out.strides_[from] = strides_[to];
  out.strides_[to] = strides_[from];
  return out;
}

Layout Layout::slice(int64_t axis, int64_t start, int64_t stop, int64_t step) const {
  const int at = normalize_axis(axis, rank(), "slice");
  GRADUS_CHECK(step > 0, "[slice] expected a step > 0, got ", step);
  GRADUS_CHECK(0 <= start && start <= stop && stop <= shape_[at],
               "[slice] range out of bounds: expected 0 <= start <= ", "stop <= ", shape_[at], " on axis ", at, " of ",
               shape_, ", got [", start, ", ", stop, ")");
  Layout out = *this;
  const int64_t size = (stop - start) / step + ((stop - start) % step != 0);
  out.shape_ = shape_.with(at, size);
  if (size > 1) out.strides_[at] = strides_[at] * step;  // otherwise the step has no meaning and might overflow
  // An empty slice keeps its offset valid, because start may be one past the end.
  if (out.shape_.numel() > 0) out.offset_ = offset_ + start * strides_[at];
  return out;
}

Layout Layout::select(int64_t axis, int64_t index) const {
  const int at = normalize_axis(axis, rank(), "select");
  GRADUS_CHECK(index >= -shape_[at] && index < shape_[at], "[select] index out of range: expected an index in [",
               -shape_[at], ", ", shape_[at] - 1, "] on axis ", at, " of ", shape_, ", got ", index);
  if (index < 0) index += shape_[at];
  return slice(at, index, index + 1, 1).squeeze(at);
}

Layout Layout::expand(const Shape& shape) const {
  const int lead = shape.rank() - rank();
  GRADUS_CHECK(lead >= 0, "[expand] cannot drop axes: shape is ", shape_, ", asked for ", shape);
  Layout out;
  out.shape_ = shape;
  out.offset_ = offset_;
  for (int i = 0; i < shape.rank(); ++i) {
    const bool stretched = i < lead || (shape_[i - lead] == 1 && shape[i] != 1);
    GRADUS_CHECK(stretched || shape_[i - lead] == shape[i], "[expand] sizes differ on axis ", i, ": shape is ", shape_,
                 ", asked for ", shape);
    out.strides_[i] = stretched ? 0 : strides_[i - lead];
  }
  return out;
}

Layout Layout::squeeze(int64_t axis) const {
  const int at = normalize_axis(axis, rank(), "squeeze");
  GRADUS_CHECK(shape_[at] == 1, "[squeeze] expected size 1 on axis ", at, " of ", shape_);
  Layout out;
  out.shape_ = shape_.without(at);
  out.offset_ = offset_;
  for (int i = 0; i < out.rank(); ++i) out.strides_[i] = strides_[i < at ? i : i + 1];
  return out;
}

Layout Layout::unsqueeze(int64_t axis) const {
  const int at = normalize_axis(axis, rank() + 1, "unsqueeze");
  Layout out;
  out.shape_ = shape_.inserted(at, 1);
  out.offset_ = offset_;
  for (int i = 0; i < out.rank(); ++i) out.strides_[i] = i == at ? 1 : strides_[i < at ? i : i - 1];
  return out;
}

Layout Layout::diagonal(int64_t a, int64_t b) const {
  const int i = normalize_axis(a, rank(), "diagonal");
  const int j = normalize_axis(b, rank(), "diagonal");
  GRADUS_CHECK(i != j, "[diagonal] expected two different axes, got ", i, " twice");
  Layout out;
  out.offset_ = offset_;
  int64_t sizes[kMaxRank];
  int count = 0;
  for (int k = 0; k < rank(); ++k) {
    if (k == i || k == j) continue;
    out.strides_[count] = strides_[k];
    sizes[count++] = shape_[k];
  }
  out.strides_[count] = strides_[i] + strides_[j];
  sizes[count++] = shape_[i] < shape_[j] ? shape_[i] : shape_[j];
  out.shape_ = Shape(std::span<const int64_t>(sizes, static_cast<size_t>(count)));
  return out;
}

bool Layout::reshape(const Shape& shape, Layout& out) const {
  GRADUS_CHECK(shape.numel() == shape_.numel(), "[reshape] element counts differ: shape is ", shape_, " (",
               shape_.numel(), " elements), asked for ", shape, " (", shape.numel(), ")");
  Layout result(shape);
  result.offset_ = offset_;
  if (!is_contiguous()) {
    // Walks both shapes from the last axis. A run of old axes that is dense in itself can be split differently.
    int old_axis = rank() - 1;
    int new_axis = shape.rank() - 1;
    while (new_axis >= 0) {
      while (old_axis >= 0 && shape_[old_axis] == 1) --old_axis;
      if (old_axis < 0) break;  // only axes of size 1 are left in the new shape
      int64_t run = shape_[old_axis];
      const int64_t base = strides_[old_axis];
      while (old_axis > 0 && (shape_[old_axis - 1] == 1 || strides_[old_axis - 1] == base * run)) {
        run *= shape_[--old_axis];
      }
      int64_t stride = base;
      while (run > 1) {
        if (new_axis < 0 || run % shape[new_axis] != 0) return false;
        result.strides_[new_axis] = stride;
        stride *= shape[new_axis];
        run /= shape[new_axis--];
      }
      --old_axis;
    }
  }
  out = result;
  return true;
}

}  // namespace gradus

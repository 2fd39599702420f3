// SPDX-License-Identifier: MIT
#pragma once

#include <numeric>
#include <utility>
#include <vector>

#include <gradus/tensor/shape.hpp>

#include "tests/support/random_numbers.hpp"

// Layouts the slow way: with every index listed.

namespace gradus::tests {

using Index = std::vector<int64_t>;

/// All indices of a shape, row-major.
inline std::vector<Index> all_indices(const Shape& shape) {
  std::vector<Index> out;
  if (shape.numel() == 0) return out;
  Index index(static_cast<size_t>(shape.rank()), 0);
  for (;;) {
    out.push_back(index);
    int axis = shape.rank() - 1;
    while (axis >= 0 && ++index[static_cast<size_t>(axis)] == shape[axis]) index[static_cast<size_t>(axis--)] = 0;
    if (axis < 0) return out;
  }
}

/// The position of an element, by the definition of a layout.
inline int64_t place(const Layout& layout, const Index& index) {
  int64_t out = layout.offset();
  for (int axis = 0; axis < layout.rank(); ++axis) out += index[static_cast<size_t>(axis)] * layout.stride(axis);
  return out;
}

/// The positions of all elements, row-major.
inline std::vector<int64_t> places(const Layout& layout) {
  std::vector<int64_t> out;
  for (const Index& index : all_indices(layout.shape())) out.push_back(place(layout, index));
  return out;
}

inline Shape random_shape(RandomNumbers& random, int rank, int64_t largest = 4) {
  std::vector<int64_t> sizes;
  for (int axis = 0; axis < rank; ++axis) sizes.push_back(random.integer(random.integer(0, 9) == 0 ? 0 : 1, largest));
  return Shape(std::span<const int64_t>(sizes));
}

inline std::vector<int> random_axes(RandomNumbers& random, int rank) {
  std::vector<int> axes(static_cast<size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  for (size_t i = axes.size(); i > 1; --i) {
    std::swap(axes[i - 1], axes[static_cast<size_t>(random.integer(0, static_cast<int64_t>(i) - 1))]);
  }
  return axes;
}

/// A layout of this shape with its axes in random memory order, gaps on some axes, an offset, and (if asked for) stride
/// 0 on some.
inline Layout random_layout(RandomNumbers& random, const Shape& shape, bool may_expand) {
  const int rank = shape.rank();
  const std::vector<int> order = random_axes(random, rank);
  Index block_sizes, starts, steps, back(static_cast<size_t>(rank));
  for (int k = 0; k < rank; ++k) {
    const int axis = order[static_cast<size_t>(k)];
    back[static_cast<size_t>(axis)] = k;
    starts.push_back(random.integer(0, 2));
    steps.push_back(random.integer(1, 2));
    block_sizes.push_back(starts.back() + shape[axis] * steps.back() + random.integer(0, 1));
  }
  Layout layout{Shape(std::span<const int64_t>(block_sizes))};
  for (int k = 0; k < rank; ++k) {
    const auto i = static_cast<size_t>(k);
    const int64_t size = shape[order[i]];
    const bool stretched = may_expand && size > 0 && random.integer(0, 4) == 0;
    layout = layout.slice(k, starts[i], starts[i] + (stretched ? 1 : size * steps[i]), steps[i]);
  }
  const std::vector<int> axes(back.begin(), back.end());
  return layout.permute(std::span<const int>(axes)).expand(shape);
}

}  // namespace gradus::tests

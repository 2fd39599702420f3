// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/shape.hpp>

namespace gradus::detail {

/// Splits a row-major position at one axis.
struct AxisView {
  AxisView(const Shape& shape, int axis) : size(shape[axis]) {
    for (int k = axis + 1; k < shape.rank(); ++k) inner *= shape[k];
  }
  int64_t at(int64_t position) const { return position / inner % size; }
  /// The same position with another index along the axis.
  int64_t moved(int64_t position, int64_t to) const { return position + (to - at(position)) * inner; }

  int64_t size;
  int64_t inner = 1;
};

/// Whether the last two axes could be mixed up: both have more than one element.
inline bool has_matrices(const Shape& shape) {
  return shape.rank() >= 2 && shape[shape.rank() - 1] >= 2 && shape[shape.rank() - 2] >= 2;
}

/// The source of the value at `position` when the transposed matrices are stored under the old shape.
inline int64_t transposed_position(const Shape& shape, int64_t position) {
  const int64_t rows = shape[shape.rank() - 2];
  const int64_t columns = shape[shape.rank() - 1];
  const int64_t in_matrix = position % (rows * columns);
  return position - in_matrix + in_matrix % rows * columns + in_matrix / rows;
}

}  // namespace gradus::detail

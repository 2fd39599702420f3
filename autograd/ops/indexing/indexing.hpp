// SPDX-License-Identifier: MIT
// Functions that pick elements by an index tensor: gather, index_select, embedding, sort.
#pragma once

#include <gradus/autograd/variable.hpp>

// Elements chosen by their positions: the arguments are x, then the axis, then the indices, then what is added. Any
// dtype; only bools cannot be added. Indices are i64 and constants. Except for embedding, an index below 0 counts from
// the end, as in NumPy; one outside [-size, size) throws `[op] index out of range: expected ..., got ...`. Axes may be
// negative.

namespace gradus {

/// Rows of a table: weight [V, D], indices i64 of any shape [..], each in [0, V) -> [.., D]. Throws and names an index
/// that is out of range.
GRADUS_API Variable embedding(const Variable& weight, const Variable& indices);
/// The vjp of embedding: g [.., D] added into the rows of zeros [rows, D].
GRADUS_API Variable embedding_backward(const Variable& g, const Variable& indices, int64_t rows);

/// y[.., j, ..] = x[.., indices[.., j, ..], ..], j on `axis`: NumPy's take_along_axis. The other axes broadcast.
GRADUS_API Variable take_along_axis(const Variable& x, int64_t axis, const Variable& indices);
/// PyTorch's gather: like take_along_axis, but nothing broadcasts, and where `indices` is smaller than x on another
/// axis, only that many elements of x are used.
GRADUS_API Variable gather(const Variable& x, int64_t axis, const Variable& indices);
/// x with source[.., j, ..] added to the element [.., indices[.., j, ..], ..], in the order of j, with the same bits at
/// any number of threads. source and indices have the same shape, which differs from x's only on `axis`.
GRADUS_API Variable scatter_add(const Variable& x, int64_t axis, const Variable& indices, const Variable& source);

/// The slices of x at indices [K] along `axis`, which then has size K.
GRADUS_API Variable index_select(const Variable& x, int64_t axis, const Variable& indices);
/// x with slice j of `source` added to slice indices[j], for indices [K], in the order of j.
GRADUS_API Variable index_add(const Variable& x, int64_t axis, const Variable& indices, const Variable& source);

/// The row-major positions at which `mask` (bool) is true, i64 [K]: NumPy's flatnonzero.
GRADUS_API Tensor flat_nonzero(const Tensor& mask);
/// The elements of x where `mask` (bool) is true, in row-major order, [K]; both broadcast.
GRADUS_API Variable masked_select(const Variable& x, const Tensor& mask);
inline Variable masked_select(const Variable& x, const Variable& mask) { return masked_select(x, mask.value()); }

/// Sorted values, and their positions in x (i64).
struct [[nodiscard]] Sorted {
  Variable values;
  Variable indices;
};

struct SortOptions {
  int64_t axis = -1;
  bool descending = false;
};

/// Sorts x (any dtype) along one axis. Stable: equal elements keep their order. NaN comes last in either direction.
GRADUS_API Sorted sort(const Variable& x, SortOptions options = {});
/// The positions that sort x along one axis.
GRADUS_API Variable argsort(const Variable& x, SortOptions options = {});

struct TopkOptions {
  int64_t axis = -1;
  /// The largest elements, in descending order; false: the smallest, ascending.
  bool largest = true;
};

/// The first k elements of the sorted axis, 0 <= k <= its size; among equal elements, those that come first in x.
GRADUS_API Sorted topk(const Variable& x, int64_t k, TopkOptions options = {});

}  // namespace gradus

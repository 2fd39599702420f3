// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

// Functions that choose elements by i64 indices along one axis. An index in [-size, 0) counts from the end; any other
// one outside [0, size) throws `[op] index out of range: ...`, with the name `op` of the caller. y is dense.

namespace gradus::kernels {

/// y[.., j, ..] = x[.., indices[.., j, ..], ..]: indices has y's shape, which differs from x's only on `axis`. Any
/// dtype.
void take_along_axis(const Tensor& x, const Tensor& indices, int axis, Tensor& y, const char* op);

/// y[.., indices[.., j, ..], ..] += source[.., j, ..], in the order of j. Any dtype but bool.
void scatter_add_along_axis(const Tensor& source, const Tensor& indices, int axis, Tensor& y, const char* op);

/// y[.., j, ..] = x[.., indices[j], ..], indices [K]. Any dtype.
void select_along_axis(const Tensor& x, const Tensor& indices, int axis, Tensor& y, const char* op);

/// y[.., indices[j], ..] += source[.., j, ..], indices [K], in the order of j. Any dtype but bool.
void add_along_axis(const Tensor& source, const Tensor& indices, int axis, Tensor& y, const char* op);

/// out [.., D]: row i is row indices[i] of table [V, D]. Throws `[embedding] index out of range: ...`.
void gather_rows(const Tensor& table, const Tensor& indices, Tensor& out);

/// out [V, D] = 0, then row indices[i] += g[i], in the order of i. Throws as gather_rows does.
void scatter_add_rows(const Tensor& g, const Tensor& indices, Tensor& out);

/// y = the class numbers in `targets`, with 0 in place of `ignored`, so that all are valid indices. Throws `[op] target
/// out of range: ...` for any other one outside [0, classes). y is dense, of targets' shape.
void class_indices(const Tensor& targets, int64_t classes, int64_t ignored, Tensor& y, const char* op);

/// The row-major positions at which the bool tensor is true, as i64 [K].
Tensor true_positions(const Tensor& mask);

}  // namespace gradus::kernels

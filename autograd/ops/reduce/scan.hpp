// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <vector>

#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/kernels/reduce/tensor_scan.hpp>

// Common parts of ops that go along one axis, each element depending on those before it. "First" and "last" are meant
// in the order of the scan.

namespace gradus::scans {

using kernels::ScanForm;
using kernels::ScanOrder;

struct ScanAttrs {
  int64_t axis;
  ScanForm form;
};

inline ScanOrder order_of(bool reverse) { return reverse ? ScanOrder::reverse : ScanOrder::forward; }
inline ScanForm form_of(const ScanOptions& options) { return {order_of(options.reverse), options.exclusive}; }

inline ScanOrder opposite(ScanOrder order) {
  return order == ScanOrder::forward ? ScanOrder::reverse : ScanOrder::forward;
}

/// x without its first element, or without its last. There must be one.
inline Variable without_first(const Variable& x, int64_t axis, ScanOrder order) {
  return narrow(x, axis, order == ScanOrder::forward ? 1 : 0, x.size(axis) - 1);
}
inline Variable without_last(const Variable& x, int64_t axis, ScanOrder order) {
  return without_first(x, axis, opposite(order));
}

/// x with a zero before its first element, or after its last.
inline Variable zero_before(const Variable& x, int64_t axis, ScanOrder order) {
  std::vector<Padding> around(static_cast<size_t>(x.rank()));
  Padding& along = around[static_cast<size_t>(axis < 0 ? axis + x.rank() : axis)];
  (order == ScanOrder::forward ? along.before : along.after) = 1;
  return pad(x, around);
}
inline Variable zero_after(const Variable& x, int64_t axis, ScanOrder order) {
  return zero_before(x, axis, opposite(order));
}

/// The slices of an axis in the order of the scan, and a tensor of such slices.
inline std::vector<Variable> slices(const Variable& x, int64_t axis, ScanOrder order) {
  std::vector<Variable> parts = unbind(x, axis);
  if (order == ScanOrder::reverse) std::reverse(parts.begin(), parts.end());
  return parts;
}
inline Variable joined(std::vector<Variable> parts, int64_t axis, ScanOrder order) {
  if (order == ScanOrder::reverse) std::reverse(parts.begin(), parts.end());
  return stack(parts, axis);
}

/// A scan composed of small ops: state = step(state, slice) from slice to slice, beginning with `start` everywhere.
template <class Step>
Variable by_steps(const Variable& x, const ScanAttrs& attrs, double start, const Step& step) {
  if (x.size(attrs.axis) == 0) return x;
  std::vector<Variable> parts = slices(x, attrs.axis, attrs.form.order);
  Variable state = full(parts[0].shape(), start, {.dtype = x.dtype()});
  for (Variable& part : parts) {
    const Variable next = step(state, part);
    part = attrs.form.exclusive ? state : next;
    state = next;
  }
  return joined(std::move(parts), attrs.axis, attrs.form.order);
}

}  // namespace gradus::scans
